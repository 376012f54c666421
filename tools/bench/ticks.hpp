#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace ringway::cli {

/// What latencies are counted in: the time-stamp counter, which takes less time to read than what
/// is measured, where it runs evenly on all cores; else nanoseconds of the steady clock. One for
/// all processes of a machine. Made before the children that use it are forked: takes 10 ms.
class TickClock {
 public:
  TickClock();

  std::int64_t now() const noexcept {
#if defined(__x86_64__)
    if (counter_) return static_cast<std::int64_t>(__rdtsc());
#endif
    return std::chrono::steady_clock::now().time_since_epoch().count();
  }
  double ns_per_tick() const noexcept { return ns_per_tick_; }
  /// Ticks that it moves by at once: many, for some counters.
  double step() const noexcept { return step_; }

 private:
  bool counter_ = false;
  double ns_per_tick_ = 1;
  double step_ = 1;
};

}  // namespace ringway::cli
