#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

/// What a bare copy of a record is compared at.
struct RecordCopyShape {
  std::uint64_t slot_bytes;  ///< a multiple of 16
  std::uint64_t ring_bytes;  ///< where records go to one place after another
};

/// The limit of latency: a record is filled in place, another process sees its stamp, copies it in
/// place, and the first one checks that. Half of the round trip. Every variant for an equal part of
/// `length`, at least 50 ms each.
std::vector<Measured> record_copy_variants(const CpuPair& cpus, const RecordCopyShape& shape,
                                           const TickClock& clock, std::chrono::nanoseconds length);

/// The same one way, at a fixed rate: from when a record was due to when it was seen and checked.
std::vector<Measured> paced_copy_variants(const CpuPair& cpus, const RecordCopyShape& shape,
                                          double records_per_s, const TickClock& clock,
                                          std::chrono::nanoseconds length);

}  // namespace ringway::cli
