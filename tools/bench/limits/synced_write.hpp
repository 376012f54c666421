#pragma once

#include <algorithm>
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

/// No disk syncs more of them in so long: 16,000 pages a second.
constexpr std::uint64_t synced_bytes_max(std::chrono::nanoseconds length) {
  return static_cast<std::uint64_t>(length / std::chrono::milliseconds(1) + 1) * (64 << 10);
}
/// What is written into the files of all variants, two of them before, of small slots.
constexpr std::uint64_t synced_write_bytes_max(std::chrono::nanoseconds length) {
  // A warm-up is a fifth, and each variant takes 50 ms at least.
  return (32 << 20) + synced_bytes_max(std::max<std::chrono::nanoseconds>(
                          length + length / 5, std::chrono::milliseconds(300)));
}

}  // namespace ringway::cli
