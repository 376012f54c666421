#pragma once

// Transient, since 1.3. How long records took from their claim to the poll that gave them out, as
// consumers count it in the first slot of their handles (session.hpp): 17 buckets, and the sum.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace ringway::layout {

/// Up to and with how many nanoseconds a bucket goes; what is longer is in one more. Producer and
/// consumer compare two readings of one clock, which may differ by some tenths of a microsecond.
inline constexpr std::array<std::uint64_t, 16> kLatencyBoundsNs{
    1'000,      3'000,      10'000,      30'000,      100'000,       300'000,
    1'000'000,  3'000'000,  10'000'000,  30'000'000,  100'000'000,   300'000'000,
    1'000'000'000, 3'000'000'000, 10'000'000'000, 30'000'000'000};
inline constexpr std::size_t kLatencyBuckets = kLatencyBoundsNs.size() + 1;

/// No sample counts as more: a day.
inline constexpr std::uint64_t kLatencyNsMax = 86'400'000'000'000;

constexpr std::size_t latency_bucket(std::uint64_t ns) noexcept {
  return static_cast<std::size_t>(
      std::lower_bound(kLatencyBoundsNs.begin(), kLatencyBoundsNs.end(), ns) -
      kLatencyBoundsNs.begin());
}

}  // namespace ringway::layout
