#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "unit/duty_fixture.hpp"

namespace partition_duty_unlogged_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::Hold;
using test::Call;
using Bench = test::DutyBench;

namespace {

constexpr std::uint64_t kRing = test::kDutyRing;
constexpr std::uint64_t kRecord = 256;  // one of Bench::publish(), with its header

/// A claim that no slot speaks of, with records before and behind it, all jumped over by the next
/// round. Returns its position.
std::uint64_t forge_claim(Bench& bench) {
  const auto view = bench.topic->view(0);
  REQUIRE(bench.publish(12) == 12);
  const auto tail = view.codec().unpack(view.tail().load());
  view.tail() = view.codec().pack({false, tail.position + kRecord, tail.offset_low + 1});
  REQUIRE(bench.publish(12) == 12);
  return tail.position;
}

}  // namespace

TEST_CASE("duty: without a log many records are jumped over, few are looked at", "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  const auto& board = bench.topic->view(0).board();
  bench.publish(30);
  bench.round();
  CHECK(board.committed_offset.load() == 30);
  CHECK(board.committed_position.load() == 30 * kRecord);
  CHECK(board.boundary[1].position.load() == 30 * kRecord);
  CHECK(board.boundary[1].offset.load() == 30);
  for (int i = 0; i < 4; ++i) {
    bench.publish(3);  // less than a sixty-fourth of the ring
    bench.round();
  }
  CHECK(board.committed_offset.load() == 42);
  CHECK(board.boundary[2].position.load() == kRing / 16 * 2);
  CHECK(board.boundary[2].offset.load() == 32);
}

TEST_CASE("duty: without a log a claim that stands open is not jumped over, dead or alive",
          "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  const auto& board = bench.topic->view(0).board();
  layout::Slot other{};
  ring::test::PlainWriter second(bench.topic->view(0), other);
  bench.duty->attach({2, layout::Role::producer, 4712, &other, {}});
  bench.publish(20);
  const ring::Claimed open = second.try_claim(256, 1);
  bench.publish(20);
  bench.round();
  CHECK(board.committed_position.load() == open.position);
  CHECK(board.committed_offset.load() == 20);
  bench.publish(20);
  bench.round();
  CHECK(board.committed_position.load() == open.position);
  bench.duty->release(2);
  bench.round();
  CHECK(board.committed_offset.load() == 61);
  CHECK(board.hole[0].offset.load() == 20);  // its place was looked at
  bench.publish(20);
  bench.round();
  CHECK(board.committed_offset.load() == 81);
}

TEST_CASE("duty: without a log a ring that is jumped through is adopted, and read from its oldest",
          "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  const auto& board = bench.topic->view(0).board();
  for (int i = 0; i < 100; ++i) {
    REQUIRE(bench.publish(30) == 30);  // 7.5 KiB, an eighth of the ring
    bench.round();
    REQUIRE(board.committed_offset.load() == bench.published);
    // At least an eighth of the ring, and more than was last jumped over.
    const std::uint64_t kept = bench.published - board.first_offset.load();
    if (i > 10) REQUIRE(kept >= kRing / 8 / 256);
    if (i % 7 == 0) {
      bench.publish(30);  // while nobody serves
      bench.start_duty();
      bench.round();
      REQUIRE(board.committed_offset.load() == bench.published);
    }
  }
}

TEST_CASE("duty: without a log what was jumped over is looked at when nothing comes", "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  const auto view = bench.topic->view(0);
  bool spoiled = true;
  std::uint64_t offset = 12;
  const auto spoil = [&](std::uint64_t place, std::uint32_t payload_bytes) {
    layout::RecordHeader header = view.load_header(place);
    header.payload_bytes = payload_bytes;
    view.store_header(place, header);
  };
  SECTION("a claim that nobody made") {
    forge_claim(bench);
  }
  SECTION("a record that cannot be followed") {
    bench.publish(25);
    spoil(12 * kRecord, ~std::uint32_t{0});
  }
  SECTION("a record that says another end than it has") {
    bench.publish(25);
    spoil(24 * kRecord, 2 * kRecord - sizeof(layout::RecordHeader));
    offset = 25;  // there it is noticed
  }
  SECTION("nothing of that kind") {
    bench.publish(25);
    spoiled = false;
  }
  bench.round();
  CHECK(view.board().committed_offset.load() == 25);
  CHECK(bench.hold() == Hold::none);
  CHECK_FALSE(bench.duty->quiet());
  bench.round();
  REQUIRE((bench.hold() == Hold::quarantined) == spoiled);
  if (spoiled) CHECK_THAT(bench.lines.back(), Catch::Contains(fmt::format("offset={} ", offset)));
  bench.round();
  CHECK(bench.duty->quiet());
}

TEST_CASE("duty: without a log what was jumped over is looked at while few come", "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  // The gap lies in the last of many jumps, or is followed by some.
  const int jumps_behind = GENERATE(0, 2);
  for (int i = 0; i < 20; ++i) bench.publish(30), bench.round();
  forge_claim(bench);
  bench.round();
  for (int i = 0; i < jumps_behind; ++i) bench.publish(24), bench.round();
  REQUIRE(bench.hold() == Hold::none);
  for (int i = 0; i < 20 && bench.hold() == Hold::none; ++i) {
    bench.publish(3);
    bench.round();
  }
  CHECK(bench.hold() == Hold::quarantined);
}

TEST_CASE("duty: without a log what was jumped over is looked at by who adopts the ring",
          "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  forge_claim(bench);
  bench.round();
  REQUIRE(bench.hold() == Hold::none);
  bench.start_duty();
  bench.round();
  CHECK(bench.hold() == Hold::quarantined);
}

TEST_CASE("duty: without a log no consumer stands at a claim that nobody made for ever",
          "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  const auto& board = bench.topic->view(0).board();
  layout::Slot consumer{}, slower{};
  bench.duty->attach({3, layout::Role::consumer, 4713, &consumer, {}});
  bench.duty->attach({4, layout::Role::consumer, 4714, &slower, {}});
  consumer.pin = slower.pin = 0;
  // No round of these looks back.
  for (int i = 0; i < 30; ++i) {
    REQUIRE(bench.publish(30) == 30);
    consumer.pin = slower.pin = board.committed_position.load();
    bench.round();
  }
  const std::uint64_t gap = forge_claim(bench);
  const bool behind_another = GENERATE(false, true);
  for (int i = 0; i < 20 && bench.hold() != Hold::quarantined; ++i) {
    consumer.pin = gap;
    slower.pin = behind_another ? std::min(slower.pin + 8 * kRecord, gap) : gap;
    bench.round();
    bench.publish(28);
  }
  REQUIRE(bench.hold() == Hold::quarantined);
  CHECK_THAT(bench.lines.back(), Catch::Contains(fmt::format("offset={} ", gap / kRecord)));
}

TEST_CASE("duty: without a log a jump hides no boundary behind a long record", "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {.persist = false});
  const auto& board = bench.topic->view(0).board();
  bench.publish(15);
  bench.round();
  // From the end of a ring segment on; more than a round looks at comes with it.
  const std::string payload(kRing / 4 - sizeof(layout::RecordHeader), 'x');
  REQUIRE(ring::test::publish_record(*bench.writer, payload).status == Status::ok);
  const std::uint64_t behind = 15 * kRecord + kRing / 4;
  bench.publish(24);
  bench.round();
  REQUIRE(board.committed_position.load() == behind);
  bench.round();
  REQUIRE(board.committed_position.load() == behind + 24 * kRecord);
  CHECK(board.boundary[4].position.load() == behind);
  CHECK(board.boundary[4].offset.load() == 16);
  CHECK(board.boundary[6].position.load() == behind + 24 * kRecord);
}

}  // namespace partition_duty_unlogged_test
