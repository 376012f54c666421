#include "tools/bench/ticks.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

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

/// What nearly all differences of readings are multiples of, where they are: a counter that moves
/// in steps. 1 where they are anything. Two readings within a step may differ by a tick or so.
double step_of(const TickClock& clock) {
  constexpr int kReadings = 4000;
  constexpr std::int64_t kSameStep = 4;
  std::vector<double> differences;
  std::int64_t before = clock.now();
  for (int i = 0; i < kReadings; ++i) {
    for (volatile int pause = i % 16; pause > 0;) pause = pause - 1;
    const std::int64_t now = clock.now();
    if (now - before > kSameStep) differences.push_back(static_cast<double>(now - before));
    before = now;
  }
  if (differences.empty()) return 1;
  const double least = *std::min_element(differences.begin(), differences.end());
  std::vector<double> single;
  for (const double each : differences) {
    if (each < 1.5 * least) single.push_back(each);
  }
  double step = 0;
  for (const double each : single) step += each / static_cast<double>(single.size());
  std::size_t looked_at = 0, multiples = 0;
  for (const double each : differences) {
    if (each > 10 * least) continue;  // scheduled away in between
    ++looked_at;
    if (std::abs(each / step - std::round(each / step)) < 0.1) ++multiples;
  }
  return 10 * multiples >= 9 * looked_at ? step : 1;
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
  step_ = step_of(*this);
}

}  // namespace ringway::cli
