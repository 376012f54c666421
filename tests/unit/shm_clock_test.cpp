#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "shm/clock.hpp"

namespace shm_clock_test {

using namespace ringway::shm;

namespace {

/// How far `clock` was outside two readings of the kernel's clock taken around it, at worst, over
/// `duration_ns`; readings that were themselves interrupted say nothing and are left out.
template <class Clock>
std::int64_t largest_error_ns(Clock& clock, std::int64_t duration_ns) {
  std::int64_t worst = 0;
  const std::int64_t end = realtime_ns() + duration_ns;
  for (std::int64_t before = realtime_ns(); before < end; before = realtime_ns()) {
    const std::int64_t now = clock.now();
    const std::int64_t after = realtime_ns();
    if (after - before < 2'000) worst = std::max({worst, before - now, now - after});
  }
  return worst;
}

}  // namespace

TEST_CASE("clock: the fast clock stays within 10 µs of the kernel's", "[shm]") {
  FastClock clock;
  const std::int64_t worst = largest_error_ns(clock, 300'000'000);
  std::cout << "fast clock: largest error " << worst << " ns"
            << (FastClock::counter_is_invariant() ? "" : " (no invariant counter)") << '\n';
  CHECK(worst < 10'000);
}

TEST_CASE("clock: the fast clock never steps back", "[shm]") {
  FastClock clock;
  std::int64_t last = 0;
  bool ordered = true;
  for (int i = 0; i < 1'000'000; ++i) {
    const std::int64_t now = clock.now();
    ordered = ordered && now >= last;
    last = now;
  }
  CHECK(ordered);
}

TEST_CASE("clock: without a counter the fast clock is the kernel's", "[shm]") {
  ::setenv("RINGWAY_WITHOUT", "tsc", 1);
  FastClock clock;
  ::unsetenv("RINGWAY_WITHOUT");
  CHECK(largest_error_ns(clock, 5'000'000) == 0);
  PreciseClock precise;
  CHECK(largest_error_ns(precise, 5'000'000) == 0);
}

}  // namespace shm_clock_test
