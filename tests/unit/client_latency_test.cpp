#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "client/latency_sampler.hpp"
#include "unit/client_fixture.hpp"

namespace ringway::client_latency_test {
namespace {

using layout::kLatencyBoundsNs;
using layout::kLatencyBuckets;
using test::MiniSupervisor;

constexpr std::int64_t kNow = 1'000'000'000'000'000;

RecordView published_at(std::int64_t ns) {
  return {nullptr, 0, 0, 0, false, 0, ns, 0, 0};
}

/// One consumer's, and what it counts.
struct Bench {
  void give_out(std::vector<std::int64_t> times) {
    std::vector<RecordView> records;
    for (const std::int64_t time : times) records.push_back(published_at(time));
    sampler.give_out(records, slot, [this] {
      ++clock_read;
      return kNow;
    });
  }
  std::vector<std::uint32_t> counts() const {
    std::vector<std::uint32_t> all;
    for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
      all.push_back(layout::latency_count(slot, i).load());
    }
    return all;
  }
  std::uint32_t samples() const {
    std::uint32_t sum = 0;
    for (const std::uint32_t count : counts()) sum += count;
    return sum;
  }

  layout::Slot slot{};
  LatencySampler sampler;
  int clock_read = 0;
};

}  // namespace

TEST_CASE("latency: a sample is in the first bucket whose bound it does not pass", "[client]") {
  for (std::size_t i = 0; i < kLatencyBoundsNs.size(); ++i) {
    CHECK(layout::latency_bucket(kLatencyBoundsNs[i]) == i);
    CHECK(layout::latency_bucket(kLatencyBoundsNs[i] + 1) == i + 1);
  }
  CHECK(layout::latency_bucket(0) == 0);
}

TEST_CASE("latency: each bucket of a slot has a word of its own, none that others read",
          "[client]") {
  Bench bench;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
    const std::uint64_t took =
        i < kLatencyBoundsNs.size() ? kLatencyBoundsNs[i] : kLatencyBoundsNs.back() + 1;
    for (std::size_t times = 0; times <= i; ++times) {
      bench.sampler.slept();
      bench.give_out({kNow - static_cast<std::int64_t>(took)});
      sum += took;
    }
  }
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) CHECK(bench.counts()[i] == i + 1);
  CHECK(bench.slot.latency_sum_ns == sum);
  CHECK(bench.slot.length == 0);
  CHECK(bench.slot.word == 0);
  CHECK(bench.slot.tail == 0);
  CHECK(bench.slot.mode == 0);
  CHECK(bench.slot.pin == 0);
  CHECK(bench.slot.offset == 0);
  CHECK(bench.slot.committed == 0);
}

TEST_CASE("latency: one record of so many is a sample, and the clock is read for no other",
          "[client]") {
  constexpr auto kEvery = LatencySampler::kEvery;
  const std::size_t size = GENERATE(1u, 7u, 64u, 1020u, 1021u, 1022u, 5000u);
  Bench bench;
  std::size_t given = 0;
  int polls_with_samples = 0;
  while (given < 20 * kEvery) {
    const std::uint32_t before = bench.samples();
    // What is a sample came later than what is none.
    std::vector<std::int64_t> times;
    for (std::size_t i = 0; i < size; ++i, ++given) {
      times.push_back(given % kEvery == 0 ? kNow - 2'000'000 : kNow);
    }
    bench.give_out(times);
    polls_with_samples += bench.samples() != before;
  }
  CHECK(bench.samples() == (given + kEvery - 1) / kEvery);
  CHECK(bench.counts()[layout::latency_bucket(2'000'000)] == bench.samples());
  CHECK(bench.clock_read == polls_with_samples);
}

TEST_CASE("latency: the first record behind a sleep, and behind many looks in vain, is a sample",
          "[client]") {
  Bench bench;
  bench.give_out({kNow});
  bench.give_out({kNow});
  CHECK(bench.samples() == 1);
  bench.sampler.slept();
  bench.give_out({});
  bench.give_out({kNow, kNow});
  CHECK(bench.samples() == 2);
  for (std::size_t i = 0; i < 2 * LatencySampler::kEvery; ++i) bench.give_out({});
  bench.give_out({kNow, kNow});
  CHECK(bench.samples() == 3);
  bench.give_out({kNow, kNow});
  CHECK(bench.samples() == 3);
}

TEST_CASE("latency: what was published before it came, or was put elsewhere, is no sample",
          "[client]") {
  Bench bench;
  bench.sampler.start(kNow - 10);
  bench.give_out({kNow - 11});
  CHECK(bench.samples() == 0);
  bench.sampler.slept();
  bench.give_out({kNow - 10});
  CHECK(bench.samples() == 1);
  bench.sampler.start(kNow - 5);
  bench.sampler.slept();
  bench.give_out({kNow - 10});
  CHECK(bench.samples() == 1);
}

TEST_CASE("latency: where the clock was set back behind its start, what comes is no history",
          "[client]") {
  Bench bench;
  bench.sampler.start(kNow + 3'600'000'000'000);
  bench.give_out({kNow});
  bench.sampler.slept();
  bench.give_out({kNow});
  CHECK(bench.samples() == 2);
}

TEST_CASE("latency: times that no clock can have said count as nothing, or as a day", "[client]") {
  Bench bench;
  const auto give_out = [&](std::int64_t time) {
    bench.sampler.slept();
    bench.give_out({time});
  };
  give_out(kNow + 5);
  give_out(std::numeric_limits<std::int64_t>::max());
  give_out(std::numeric_limits<std::int64_t>::min());
  give_out(-1);
  CHECK(bench.counts()[0] == 2);
  CHECK(bench.samples() == 2);
  CHECK(bench.slot.latency_sum_ns == 0);
  give_out(0);
  CHECK(bench.counts().back() == 1);
  CHECK(bench.slot.latency_sum_ns == layout::kLatencyNsMax);
}

TEST_CASE("latency: a consumer counts into the first slot of its handle, of every partition",
          "[client]") {
  MiniSupervisor supervisor({.partitions = 3, .ring_bytes = 64 * 1024, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  REQUIRE(producer.publish("there before", {.partition = 2}).status == Status::ok);
  Consumer consumer = bus.consumer("t", {.from = start()});
  const auto samples = [&](std::uint32_t partition) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
      sum += layout::latency_count(supervisor.slots_of(1)[partition], i).load();
    }
    return sum;
  };
  REQUIRE(consumer.poll(10, forever).size() == 1);
  CHECK(samples(0) == 0);
  // It sleeps, and so what comes then is a sample.
  for (int i = 0; i < 10; ++i) {
    REQUIRE(consumer.poll(10, std::chrono::milliseconds(2)).empty());
  }
  // Published behind the start for certain, though another clock says when.
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  REQUIRE(producer.publish("later", {.partition = 2}).status == Status::ok);
  REQUIRE(consumer.poll(10, forever).size() == 1);
  CHECK(samples(0) == 1);
  CHECK(samples(1) == 0);
  CHECK(samples(2) == 0);
  // Put back, it gives out the same ones, and they are history.
  REQUIRE(consumer.seek(start()) == Status::ok);
  REQUIRE(consumer.poll(10, forever).size() == 2);
  CHECK(samples(0) == 1);
}

}  // namespace ringway::client_latency_test
