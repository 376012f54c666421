#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "layout/session.hpp"

namespace ringway::daemon {

/// How long records of a topic took from their claim to the polls that gave them out, as its
/// consumers sampled it under this supervisor. Nothing of it ever goes down, whatever they write.
/// One thread at a time.
struct ConsumeLatency {
  /// What a double holds exactly. A count that got there stays.
  static constexpr std::uint64_t kCountMax = std::uint64_t{1} << 53;

  std::array<std::uint64_t, layout::kLatencyBuckets> counts{};
  double sum_seconds = 0;
};

/// Of one consumer handle, how far its slot's samples were taken into its topic's. The slot is its
/// client's, and so says anything. One thread at a time.
class LatencyShare {
 public:
  /// What the slot says by now does not count: it is another handle's, or another supervisor's.
  void begin(const layout::Slot& slot) noexcept {
    for (std::size_t i = 0; i < taken_.size(); ++i) taken_[i] = count(slot, i);
    sum_ns_ = slot.latency_sum_ns.load(std::memory_order::relaxed);
  }

  /// Adds what came since it was asked last. Nothing of a count that went back, nor the part of the
  /// sum that the counts do not allow; a sample that is being counted in this moment may lose some
  /// of its time in that.
  void take(const layout::Slot& slot, ConsumeLatency& into) noexcept {
    double least = 0;
    double most = 0;
    for (std::size_t i = 0; i < taken_.size(); ++i) {
      const std::uint32_t now = count(slot, i);
      std::uint32_t more = now - std::exchange(taken_[i], now);
      if (more > kMoreMax) more = 0;
      into.counts[i] = std::min(into.counts[i] + more, ConsumeLatency::kCountMax);
      least += seconds(i == 0 ? 0 : layout::kLatencyBoundsNs[i - 1]) * more;
      most += seconds(i + 1 == taken_.size() ? layout::kLatencyNsMax
                                             : layout::kLatencyBoundsNs[i]) * more;
    }
    const std::uint64_t sum = slot.latency_sum_ns.load(std::memory_order::relaxed);
    into.sum_seconds += std::clamp(seconds(sum - std::exchange(sum_ns_, sum)), least, most);
  }

 private:
  /// A larger step of a count modulo 2^32 is one back.
  static constexpr std::uint32_t kMoreMax = std::uint32_t{1} << 31;

  // Relaxed, here and above: numbers for people, each true for itself.
  static std::uint32_t count(const layout::Slot& slot, std::size_t bucket) noexcept {
    return layout::latency_count(slot, bucket).load(std::memory_order::relaxed);
  }
  static double seconds(std::uint64_t ns) noexcept { return static_cast<double>(ns) / 1e9; }

  std::array<std::uint32_t, layout::kLatencyBuckets> taken_{};
  std::uint64_t sum_ns_ = 0;
};

}  // namespace ringway::daemon
