#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ringway::daemon {

/// A histogram of how long syncs took. One thread adds; any thread reads.
struct SyncTimes {
  /// Up to and with how many nanoseconds a bucket goes; what is longer is in one more.
  static constexpr std::array<std::uint64_t, 18> kBoundsNs{
      25'000,      50'000,      100'000,     250'000,       500'000,       1'000'000,
      2'500'000,   5'000'000,   10'000'000,  25'000'000,    50'000'000,    100'000'000,
      250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

  std::atomic<std::uint64_t> sum_ns{};
  std::array<std::atomic<std::uint64_t>, kBoundsNs.size() + 1> counts{};  ///< by bucket

  void add(std::uint64_t ns) noexcept {
    std::size_t bucket = 0;
    while (bucket < kBoundsNs.size() && ns > kBoundsNs[bucket]) ++bucket;
    // Relaxed: numbers for people, each true for itself; nobody else writes them.
    const auto more = [](std::atomic<std::uint64_t>& word, std::uint64_t by) {
      word.store(word.load(std::memory_order::relaxed) + by, std::memory_order::relaxed);
    };
    more(counts[bucket], 1);
    more(sum_ns, ns);
  }
};

}  // namespace ringway::daemon
