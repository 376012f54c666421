#include "tools/bench/ticks.hpp"

#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ringway::cli {
namespace {

/// CPUID leaf 8000'0007h, EDX bit 8: the counter's rate does not change and it does not stop.
bool counter_is_invariant() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & 1u << 8) != 0;
#else
  return false;
#endif
}

}  // namespace

TickClock::TickClock() : counter_(counter_is_invariant()) {
  if (!counter_) return;
  using Clock = std::chrono::steady_clock;
  const auto from = Clock::now();
  const std::int64_t ticks_from = now();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto passed = Clock::now() - from;
  ns_per_tick_ = static_cast<double>(passed.count()) / static_cast<double>(now() - ticks_from);
}

}  // namespace ringway::cli
