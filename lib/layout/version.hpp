#pragma once

// Versions of the shared-memory layout. Transient.
//
// A change that an older reader or writer must not meet raises the major version, or has a bit of
// `incompatible_flags` of its own where only some boards have it. Everything else raises the minor
// version: what is new lies in bytes that were reserved, 0 there means "not kept up", and nothing
// goes wrong where it is not looked at. So whoever knows the major version and all incompatible
// flags may use a board, whatever its minor version; what a later minor version brought may be
// trusted only while the board says so, and it always says that of the supervisor that serves it.

#include <cstdint>

namespace ringway::layout {

struct Version {
  std::uint16_t major;
  std::uint16_t minor;
};

inline constexpr Version kLayoutVersion{1, 4};

/// A bit of BoardHeader::incompatible_flags, since 1.1: watermarks may pass records that are not in
/// the log, and the ring be used again before they are. Whoever waits for a level or adopts the
/// ring has to look at `log_gap`.
inline constexpr std::uint64_t kLeavesGaps = 1;

/// The bits that this version understands.
inline constexpr std::uint64_t kIncompatibleFlagsKnown = kLeavesGaps;

constexpr bool can_use(std::uint16_t major, std::uint64_t incompatible_flags) noexcept {
  return major == kLayoutVersion.major && (incompatible_flags & ~kIncompatibleFlagsKnown) == 0;
}

}  // namespace ringway::layout
