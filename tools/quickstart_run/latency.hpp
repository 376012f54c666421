#pragma once

#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ringway::quickstart {

/// What record timestamps are compared with.
inline std::int64_t realtime_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// Counts durations in buckets of 1/16 of a power of two, so that quantiles are true to 6 %.
class LatencyHistogram {
 public:
  /// `nanoseconds` below 0 (clocks of two cores) count as 0.
  void add(std::int64_t nanoseconds) noexcept {
    ++counts_[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0)))];
    ++total_;
  }

  /// The duration that `share` (0..1) of all do not exceed, nanoseconds; 0 when there are none.
  std::int64_t quantile(double share) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen > wanted) return static_cast<std::int64_t>(end_of(bucket));
    }
    return 0;
  }

 private:
  static constexpr unsigned kFine = 4;  // bits

  static std::size_t bucket_of(std::uint64_t value) noexcept {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kFine + 1 ? width - kFine - 1 : 0;
    return (shift << kFine) + (value >> shift);
  }
  static std::uint64_t end_of(std::size_t bucket) noexcept {
    const std::size_t shift = bucket < (2 << kFine) ? 0 : (bucket >> kFine) - 1;
    return (bucket - (shift << kFine) + 1) << shift;
  }

  std::array<std::uint64_t, (64 << kFine)> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace ringway::quickstart
