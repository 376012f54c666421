#include "tools/bench/limits/futex_wake.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "tools/bench/latencies.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

struct Bed {
  alignas(128) std::atomic<std::uint32_t> lies_down{0};  // by the sleeper: the round it sleeps in
  alignas(128) std::atomic<std::uint32_t> rises{0};      // by the waker: the futex
  std::atomic<std::int64_t> called{0};                   // by the waker, before it: the time
};

/// True when a wake call ended it.
bool sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  const timespec patience{0, 20'000'000};
  return ::syscall(SYS_futex, &word, FUTEX_WAIT, value, &patience, nullptr, 0) == 0;
}

Latencies play_sleeper(Stand& stand, Bed& bed, const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint32_t round = 1; meter.go_on(round); ++round) {
    bed.lies_down.store(round, std::memory_order::release);
    bool woken = false;
    while (bed.rises.load(std::memory_order::acquire) != round && meter.go_on(round)) {
      woken = sleep_while(bed.rises, round - 1);
    }
    const std::int64_t now = clock.now();
    // Relaxed: the futex's word orders it.
    if (woken && meter.timed()) ticks->add(now - bed.called.load(std::memory_order::relaxed));
  }
  return latencies_of(*ticks, clock, 1, meter.work());
}

Latencies play_waker(Stand& stand, Bed& bed, const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  const auto asleep_for = static_cast<std::int64_t>(
      std::chrono::duration<double, std::nano>(kAsleepFor).count() / clock.ns_per_tick());
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint32_t round = 1; meter.go_on(round);) {
    if (bed.lies_down.load(std::memory_order::acquire) != round) continue;
    const std::int64_t from = clock.now() + asleep_for;
    while (clock.now() < from) continue;
    const std::int64_t called = clock.now();
    bed.called.store(called, std::memory_order::relaxed);  // ordered by the word
    bed.rises.store(round, std::memory_order::release);
    ::syscall(SYS_futex, &bed.rises, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    if (meter.timed()) ticks->add(clock.now() - called);
    ++round;
  }
  return latencies_of(*ticks, clock, 1, meter.work());
}

}  // namespace

Measured futex_wake(const CpuPair& cpus, const TickClock& clock, std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(Bed));
  Bed& bed = *new (page.data()) Bed;
  const std::vector<Part<Latencies>> parts{
      {"futex waker", cpus.first, [&](Stand& stand) { return play_waker(stand, bed, clock); }},
      {"futex sleeper", cpus.second,
       [&](Stand& stand) { return play_sleeper(stand, bed, clock); }}};
  const std::vector<Latencies> of = measure(parts, length);
  Measured measured{.figures = of[1].figures(), .variant = "futex"};
  measured.more["samples"] = of[1].samples;
  measured.more["waker_p50_ns"] = json_number(of[0].figures().p50_ns);
  return measured;
}

}  // namespace ringway::cli
