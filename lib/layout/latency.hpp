#pragma once

// Transient. A histogram of times, with one writer; whoever maps it may read it.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ringway::layout {

/// Up to and with how many nanoseconds a bucket of Latencies goes; what is longer is in one more.
inline constexpr std::array<std::uint64_t, 24> kLatencyBoundsNs{
    250,           500,           1'000,         2'500,         5'000,          10'000,
    25'000,        50'000,        100'000,       250'000,       500'000,        1'000'000,
    2'500'000,     5'000'000,     10'000'000,    25'000'000,    50'000'000,     100'000'000,
    250'000'000,   500'000'000,   1'000'000'000, 2'500'000'000, 5'000'000'000,  10'000'000'000};

struct Latencies {
  std::atomic<std::uint64_t> sum_ns;
  std::atomic<std::uint64_t> counts[kLatencyBoundsNs.size() + 1];  ///< by bucket
};
static_assert(sizeof(Latencies) == 208);

/// Counts one time as often as `weight` says. Its only writer: no locked instruction.
inline void add_latency(Latencies& all, std::uint64_t ns, std::uint64_t weight = 1) noexcept {
  std::size_t bucket = 0;
  while (bucket < kLatencyBoundsNs.size() && ns > kLatencyBoundsNs[bucket]) ++bucket;
  // Relaxed: numbers for people, each true for itself; nobody else writes them.
  const auto more = [](std::atomic<std::uint64_t>& word, std::uint64_t by) {
    word.store(word.load(std::memory_order::relaxed) + by, std::memory_order::relaxed);
  };
  more(all.counts[bucket], weight);
  more(all.sum_ns, ns * weight);
}

}  // namespace ringway::layout
