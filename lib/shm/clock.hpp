#pragma once

#include <cstdint>

namespace ringway::shm {

/// CLOCK_REALTIME in nanoseconds, from the kernel at every call (about 25 ns).
std::int64_t realtime_ns() noexcept;

/// Timestamps straight from the kernel; never steps back within one clock. One thread at a time.
class PreciseClock {
 public:
  std::int64_t now() noexcept;

 private:
  std::int64_t last_ns_ = 0;
};

/// CLOCK_REALTIME in nanoseconds from the processor's time stamp counter, compared with the
/// kernel's clock about once a millisecond: between two comparisons it drifts by well under 10 µs.
/// Until two comparisons have given the counter's frequency, and where the counter is not invariant
/// (or RINGWAY_WITHOUT=tsc), it is a PreciseClock. Never steps back within one clock: after the
/// system clock was set back it stands still until that is caught up with. One thread at a time.
class FastClock {
 public:
  FastClock() noexcept;

  std::int64_t now() noexcept {
#if defined(__x86_64__)
    const std::uint64_t ticks = __builtin_ia32_rdtsc() - base_ticks_;
    if (ticks < rebase_ticks_) [[likely]] {
      return later(base_ns_ + static_cast<std::int64_t>((ticks * ns_per_tick_) >> 32));
    }
#endif
    return later(rebase());
  }

  /// Whether this machine's counter can be used at all.
  static bool counter_is_invariant() noexcept;

 private:
  std::int64_t rebase() noexcept;
  std::int64_t later(std::int64_t ns) noexcept {
    if (ns > last_ns_) last_ns_ = ns;
    return last_ns_;
  }

  std::uint64_t base_ticks_ = 0;
  std::int64_t base_ns_ = 0;
  std::uint64_t rebase_ticks_ = 0;  ///< how far the base reaches; 0 until the frequency is known
  std::uint64_t ns_per_tick_ = 0;   ///< fixed point, 32 fraction bits
  std::int64_t last_ns_ = 0;
  std::int64_t base_monotonic_ns_ = 0;
  bool usable_;
};

}  // namespace ringway::shm
