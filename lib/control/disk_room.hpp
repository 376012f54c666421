#pragma once

#include <cstdint>

namespace ringway::control {

/// With less free no topic that has a log is made: room for the first records of one partition, and
/// for what the catalog says of it.
inline constexpr std::uint64_t kDiskFreeMin = 512 << 10;

/// disk.keep_free, unless somebody configures it.
inline constexpr std::uint32_t kKeepFreePercent = 5;

inline constexpr std::uint64_t usual_keep_free(std::uint64_t total_bytes) noexcept {
  return total_bytes / 100 * kKeepFreePercent;
}

}  // namespace ringway::control
