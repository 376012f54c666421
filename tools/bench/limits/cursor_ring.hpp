#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

/// What a cursor ring is compared at.
struct CursorRingShape {
  std::uint64_t ring_bytes;
  std::uint64_t slot_bytes;  ///< a multiple of 16; all of it is written, read and checked
  std::uint32_t claim;       ///< records that are published at once

  /// Whole claims that fit in the ring, in slots.
  std::uint64_t slots() const noexcept { return ring_bytes / slot_bytes / claim * claim; }
  /// Throws Error unless a few claims fit.
  void check() const;
};

/// The limit of a ring's throughput: one producer, one consumer, slots of one size, no claims to
/// settle, nothing to repair. Measures every variant for an equal part of `length`, at least 50 ms
/// each. The best one is best_of() them.
std::vector<Measured> cursor_ring_variants(const CpuPair& cpus, const CursorRingShape& shape,
                                           std::chrono::nanoseconds length);

}  // namespace ringway::cli
