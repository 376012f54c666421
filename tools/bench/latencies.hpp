#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "tools/bench/figures.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/ticks.hpp"
#include "tools/stage/latency_histogram.hpp"

namespace ringway::cli {

/// Percentiles that a process hands to its parent.
struct Latencies {
  std::uint64_t samples = 0;
  double p50_ns = 0, p99_ns = 0, p999_ns = 0;
  Work work{};

  Figures figures() const {
    if (samples == 0) return {};
    return {.records_per_s = {},
            .bytes_per_s = {},
            .p50_ns = p50_ns,
            .p99_ns = p99_ns,
            .p999_ns = p999_ns,
            .cpu_ns_per_record = {}};
  }
};

/// Ticks, true to 0.4 %.
using TickHistogram = LatencyHistogram<8>;

/// The duration, in ticks, that `share` of all do not exceed. A clock that moves in steps gives
/// durations of whole steps, to either side of the true one; the numbers of those before and behind
/// tell where it lies, to about a tenth of a step.
inline double ticks_at(const TickHistogram& ticks, double share, double step) {
  const TickHistogram::Place place = ticks.place(share);
  const double width = std::max(static_cast<double>(place.to - place.from), step);
  return static_cast<double>(place.from + place.to - 1) / 2 + (place.within - 0.5) * width;
}

/// `divisor`: 2 where round trips were counted.
inline Latencies latencies_of(const TickHistogram& ticks, const TickClock& clock, double divisor,
                              const Work& work) {
  const auto ns = [&](double share) {
    return ticks_at(ticks, share, clock.step()) * clock.ns_per_tick() / divisor;
  };
  return {ticks.total(), ns(0.5), ns(0.99), ns(0.999), work};
}

/// When each record of a steady stream is due, in ticks. Latencies are counted from there: a record
/// that is late because the one before it was late has waited, too.
class Schedule {
 public:
  Schedule(std::int64_t start, double records_per_s, const TickClock& clock) noexcept
      : start_(start), ticks_each_(1e9 / records_per_s / clock.ns_per_tick()) {}
  std::int64_t due(std::uint64_t record) const noexcept {
    return start_ + static_cast<std::int64_t>(static_cast<double>(record) * ticks_each_);
  }

 private:
  std::int64_t start_;
  double ticks_each_;
};

}  // namespace ringway::cli
