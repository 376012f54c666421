#include "shm/clock.hpp"

#include <cmath>
#include <ctime>
#include <fstream>
#include <string>

#include "shm/withheld.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ringway::shm {
namespace {

constexpr double kOne = 4294967296.0;  // of FastClock::ns_per_tick_
constexpr std::int64_t kRebaseNs = 1'000'000;
// The frequency is taken over at least this long, so that 100 ns of reading error stay below
// 200 ppm: 0.2 µs within a millisecond.
constexpr std::int64_t kMeasureNs = 500'000;
// Readings further apart were interrupted: what they say is not about one moment.
constexpr std::int64_t kReadingNs = 3'000;

std::int64_t kernel_ns(clockid_t clock) noexcept {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t realtime_ns() noexcept {
  return kernel_ns(CLOCK_REALTIME);
}

std::int64_t PreciseClock::now() noexcept {
  const std::int64_t ns = realtime_ns();
  if (ns > last_ns_) last_ns_ = ns;
  return last_ns_;
}

#if defined(__x86_64__)

bool FastClock::counter_is_invariant() noexcept {
  static const bool invariant = [] {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned kInvariant = 1u << 8;
    if (__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) == 0 || (edx & kInvariant) == 0) {
      return false;
    }
    // A counter that the kernel itself gave up (unsynchronised cores) is not to be trusted.
    std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    std::string source;
    return !(file >> source) || source == "tsc" || source == "kvm-clock" ||
           source == "hyperv_clocksource_tsc_page";
  }();
  return invariant && !withheld("tsc");
}

std::int64_t FastClock::rebase() noexcept {
  if (!usable_) return realtime_ns();
  // Monotonic time measures the frequency: it runs at the same rate but is never set.
  const std::int64_t monotonic = kernel_ns(CLOCK_MONOTONIC);
  const std::uint64_t ticks = __builtin_ia32_rdtsc();
  const std::int64_t now = kernel_ns(CLOCK_REALTIME);
  if (kernel_ns(CLOCK_MONOTONIC) - monotonic > kReadingNs) {
    rebase_ticks_ = 0;  // the old base is worn out; the next call tries again
    return now;
  }
  const std::int64_t passed = monotonic - base_monotonic_ns_;
  const std::uint64_t ticked = ticks - base_ticks_;
  const bool first = base_monotonic_ns_ == 0;
  if (!first && passed < kMeasureNs && ns_per_tick_ == 0) return now;  // let the measure grow
  if (!first && passed >= kMeasureNs && ticked != 0) {
    const double rate = static_cast<double>(passed) / static_cast<double>(ticked);
    // Counters run at 10 MHz to 10 GHz and drift by parts per million. Anything else means that
    // this one was stopped or set (a migrated machine): measure anew.
    const double known = static_cast<double>(ns_per_tick_) / kOne;
    if (rate > 0.1 && rate < 100 && (known == 0 || std::abs(rate - known) < known / 100)) {
      ns_per_tick_ = static_cast<std::uint64_t>(rate * kOne);
      rebase_ticks_ = static_cast<std::uint64_t>(static_cast<double>(kRebaseNs) / rate);
    } else {
      ns_per_tick_ = rebase_ticks_ = 0;
    }
  }
  base_ticks_ = ticks;
  base_ns_ = now;
  base_monotonic_ns_ = monotonic;
  return now;
}

#else

bool FastClock::counter_is_invariant() noexcept {
  return false;
}
std::int64_t FastClock::rebase() noexcept {
  return realtime_ns();
}

#endif

FastClock::FastClock() noexcept : usable_(counter_is_invariant()) {}

}  // namespace ringway::shm
