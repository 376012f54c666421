#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <random>

#include "daemon/consume_latency.hpp"
#include "support/seed.hpp"

namespace consume_latency_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::kLatencyBuckets;
using layout::latency_bucket;

namespace {

void count(layout::Slot& slot, std::uint64_t ns) {
  layout::latency_count(slot, latency_bucket(ns)).fetch_add(1);
  slot.latency_sum_ns.fetch_add(ns);
}

}  // namespace

TEST_CASE("consume latency: what came since the last look is added, once", "[metrics]") {
  layout::Slot slot{};
  count(slot, 500);
  LatencyShare share;
  share.begin(slot);  // what was there is another's
  ConsumeLatency total;
  share.take(slot, total);
  CHECK(total.counts == ConsumeLatency{}.counts);
  CHECK(total.sum_seconds == 0);
  count(slot, 2'000);
  count(slot, 2'500);
  count(slot, 60'000'000'000);
  share.take(slot, total);
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 2);
  CHECK(total.counts.back() == 1);
  CHECK(total.counts[0] == 0);
  CHECK(total.sum_seconds == Approx(60.0000045).epsilon(1e-12));
}

TEST_CASE("consume latency: counts and sum of a slot may go round", "[metrics]") {
  layout::Slot slot{};
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
    layout::latency_count(slot, i) = std::numeric_limits<std::uint32_t>::max();
  }
  slot.latency_sum_ns = std::numeric_limits<std::uint64_t>::max() - 1;
  LatencyShare share;
  share.begin(slot);
  count(slot, 2'000);
  count(slot, 20'000'000);
  ConsumeLatency total;
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 1);
  CHECK(total.counts[latency_bucket(20'000'000)] == 1);
  CHECK(total.sum_seconds == Approx(0.020002));
}

TEST_CASE("consume latency: of a count that goes back nothing is added, nor taken", "[metrics]") {
  layout::Slot slot{};
  LatencyShare share;
  share.begin(slot);
  count(slot, 2'000);
  ConsumeLatency total;
  share.take(slot, total);
  layout::latency_count(slot, latency_bucket(2'000)) = 0;  // a hole was punched
  slot.latency_sum_ns = 0;
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 1);
  CHECK(total.sum_seconds == Approx(2e-6));
  count(slot, 2'000);  // and on from there
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 2);
  CHECK(total.sum_seconds == Approx(4e-6));
}

TEST_CASE("consume latency: the sum is what the counts allow", "[metrics]") {
  layout::Slot slot{};
  LatencyShare share;
  share.begin(slot);
  ConsumeLatency total;
  slot.latency_sum_ns = 7'000'000'000;  // of no sample
  share.take(slot, total);
  CHECK(total.sum_seconds == 0);
  layout::latency_count(slot, latency_bucket(2'000)) = 10;  // that took no time
  share.take(slot, total);
  CHECK(total.sum_seconds == Approx(10 * 1e-6));
  layout::latency_count(slot, latency_bucket(2'000)) = 20;
  slot.latency_sum_ns = 0;  // modulo 2^64 centuries later
  share.take(slot, total);
  CHECK(total.sum_seconds == Approx(10 * 1e-6 + 10 * 3e-6));
}

TEST_CASE("consume latency: whatever a client writes, nothing goes down or over", "[metrics]") {
  const std::uint64_t seed = test::chosen_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  layout::Slot slot{};
  LatencyShare share;
  share.begin(slot);
  ConsumeLatency total;
  total.counts.fill(ConsumeLatency::kCountMax - (std::uint64_t{1} << 36));
  ConsumeLatency before = total;
  for (int i = 0; i < 2'000; ++i) {
    for (std::size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
      layout::latency_count(slot, bucket) = static_cast<std::uint32_t>(random());
    }
    slot.latency_sum_ns = random();
    share.take(slot, total);
    for (std::size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
      REQUIRE(total.counts[bucket] >= before.counts[bucket]);
      REQUIRE(total.counts[bucket] <= ConsumeLatency::kCountMax);
    }
    REQUIRE(total.sum_seconds >= before.sum_seconds);
    before = total;
  }
  CHECK(total.counts[0] == ConsumeLatency::kCountMax);
}

}  // namespace consume_latency_test
