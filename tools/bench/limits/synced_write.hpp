#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

/// The limit of a durable publish: one process on `cpu` fills one slot after the other of
/// `slot_bytes` (a multiple of 16), writes each behind the one before it and calls fdatasync:
/// through the page cache, and as the whole pages that hold it past that; into blocks that are
/// reserved and into blocks that were written before (a log writes to both). Every variant for an
/// equal part of `length`, at least 50 ms. Percentiles of the two calls together, and how many a
/// second.
std::vector<Measured> synced_write_variants(int cpu, const std::filesystem::path& place,
                                            std::uint64_t slot_bytes, const TickClock& clock,
                                            std::chrono::nanoseconds length);

}  // namespace ringway::cli
