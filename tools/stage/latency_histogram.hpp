#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ringway::cli {

/// Counts durations, of any unit, in buckets of 1/2^kFineBits of a power of two: quantiles are true
/// to that share (4: 6 %, 8: 0.4 %). Allocates nothing; one thread.
template <unsigned kFineBits>
class LatencyHistogram {
 public:
  /// `duration` below 0 (clocks of two cores) counts as 0.
  void add(std::int64_t duration) noexcept {
    ++counts_[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(duration, 0)))];
    ++total_;
  }

  /// What another one counted, too.
  void add(const LatencyHistogram& other) noexcept {
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      counts_[bucket] += other.counts_[bucket];
    }
    total_ += other.total_;
  }

  std::uint64_t total() const noexcept { return total_; }
  /// The duration that `share` (0..1) of all do not exceed; 0 when there are none.
  std::int64_t quantile(double share) const noexcept { return place(share).to; }

  /// A bucket, and the share (0..1) of its durations that lies before a place in it.
  struct Place {
    std::int64_t from = 0, to = 0;
    double within = 0;
  };
  /// Where `share` of all lies; nowhere when there are none.
  Place place(double share) const noexcept {
    const double exact = share * static_cast<double>(total_);
    const auto wanted = static_cast<std::uint64_t>(exact);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      if (seen + counts_[bucket] > wanted) {
        const double within =
            (exact - static_cast<double>(seen)) / static_cast<double>(counts_[bucket]);
        return {static_cast<std::int64_t>(bucket == 0 ? 0 : end_of(bucket - 1)),
                static_cast<std::int64_t>(end_of(bucket)), within};
      }
      seen += counts_[bucket];
    }
    return {};
  }

 private:
  static std::size_t bucket_of(std::uint64_t value) noexcept {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kFineBits + 1 ? width - kFineBits - 1 : 0;
    return (std::size_t{shift} << kFineBits) + (value >> shift);
  }
  static std::uint64_t end_of(std::size_t bucket) noexcept {
    const std::size_t shift = bucket < (2 << kFineBits) ? 0 : (bucket >> kFineBits) - 1;
    return (bucket - (shift << kFineBits) + 1) << shift;
  }

  std::array<std::uint64_t, (std::size_t{64} << kFineBits)> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace ringway::cli
