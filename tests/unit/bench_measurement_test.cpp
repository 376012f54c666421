#include <catch2/catch.hpp>

#include "tools/bench/latencies.hpp"
#include "tools/bench/measurement.hpp"

namespace ringway::cli::bench_measurement_test {
namespace {

TEST_CASE("bench: percentiles of ticks are true to half a percent", "[bench]") {
  TickHistogram ticks;
  for (int i = 1; i <= 100'000; ++i) ticks.add(i);
  for (const double share : {0.01, 0.5, 0.99, 0.999}) {
    const auto exact = share * 100'000;
    CHECK(static_cast<double>(ticks.quantile(share)) == Approx(exact).epsilon(0.005));
  }
  CHECK(ticks.total() == 100'000);
}

TEST_CASE("bench: a percentile lies within the steps of the clock", "[bench]") {
  // 141 read by a clock that moves in steps of 26: 130 or 156, and 130 more often.
  TickHistogram ticks;
  for (int phase = 0; phase < 26; ++phase) ticks.add((phase + 141) / 26 * 26);
  CHECK(ticks_at(ticks, 0.5, 26) == Approx(141).margin(2.6));
  TickHistogram one;
  one.add(7);
  CHECK(ticks_at(one, 0.5, 1) == Approx(7));
}

TEST_CASE("bench: a record that waited behind a late one is due when it was due", "[bench]") {
  const TickClock clock;
  const Schedule schedule(1000, 1e6, clock);
  CHECK(schedule.due(0) == 1000);
  const double ns = static_cast<double>(schedule.due(1'000'000) - 1000) * clock.ns_per_tick();
  CHECK(ns == Approx(1e9).epsilon(1e-6));
}

TEST_CASE("bench: percentiles of nothing are not measured", "[bench]") {
  const TickClock clock;
  CHECK_FALSE(latencies_of(TickHistogram{}, clock, 1, {}).figures().p50_ns.has_value());
}

TEST_CASE("bench: throughput is the slowest reader's, CPU time everybody's", "[bench]") {
  const Work fast{200, 1'000'000'000, 3000}, slow{100, 1'000'000'000, 2000}, writer{210, 1, 1000};
  const Figures figures = throughput({fast, slow}, {writer}, 96);
  CHECK(*figures.records_per_s == 100);
  CHECK(*figures.bytes_per_s == 9600);
  CHECK(*figures.cpu_ns_per_record == 30);
  CHECK_FALSE(throughput({fast, Work{}}, {writer}, 96).records_per_s.has_value());
  CHECK_FALSE(throughput({fast}, {Work{}}, 96).records_per_s.has_value());
}

TEST_CASE("bench: a meter counts what was done between two phases", "[bench]") {
  Gate gate;
  Meter meter(gate);
  CHECK(meter.go_on(10));
  gate.phase = Phase::timed;
  CHECK(meter.go_on(20));
  CHECK(meter.timed());
  CHECK(meter.go_on(30));
  gate.phase = Phase::over;
  CHECK_FALSE(meter.go_on(50));
  CHECK(meter.work().records == 30);
  CHECK(meter.work().wall_ns > 0);
}

TEST_CASE("bench: a process that slept through the timed phase measured nothing", "[bench]") {
  Gate gate;
  Meter meter(gate);
  CHECK(meter.go_on(10));
  gate.phase = Phase::over;
  CHECK_FALSE(meter.go_on(50));
  CHECK(meter.work().wall_ns == 0);
}

}  // namespace
}  // namespace ringway::cli::bench_measurement_test
