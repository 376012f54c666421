#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "support/lost_page.hpp"
#include "unit/duty_fixture.hpp"

namespace partition_duty_spoiled_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::Hold;
using test::Call;
using Bench = test::DutyBench;

TEST_CASE("duty: a ring with a page punched out is quarantined, and the supervisor lives",
          "[flusher]") {
  shm::install_landing();
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 5);
  std::byte* const second_page = bench.topic->view(0).at(test::kPageBytes);
  SECTION("of its records") {
    bench.publish(30);
    test::lose_pages_at(second_page, 1);
  }
  SECTION("of its tails") {
    // They begin a page of their own.
    test::lose_pages_at(reinterpret_cast<std::byte*>(&bench.topic->view(0).tail()), 1);
  }
  for (int i = 0; i < 50; ++i) bench.round();
  CHECK(bench.hold() == Hold::quarantined);
  CHECK_THAT(bench.lines.back(), Catch::Contains("punched out"));
}

TEST_CASE("duty: a claim that nobody made quarantines its partition, an honest one does not",
          "[flusher]") {
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 5; ++i) bench.round();
  SECTION("forged") {
    const auto view = bench.topic->view(0);
    const layout::Tail tail = view.codec().unpack(view.tail().load());
    view.tail().store(view.codec().pack({false, tail.position + 64, tail.offset_low + 1}));
    for (int i = 0; i < 200; ++i) bench.round();  // 1.2 s
    CHECK(bench.hold() == Hold::quarantined);
    CHECK(bench.duty->drained());
    // The next supervisor keeps it so.
    bench.topic->log_start(0) =
        log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::repair)
            .go_on();
    bench.duty =
        std::make_unique<PartitionDuty>(*bench.topic, 0, bench.disk, bench.disk, bench.events);
    bench.round();
    CHECK(bench.hold() == Hold::quarantined);
    CHECK(bench.publish(1) == 0);
  }
  SECTION("honest, of a producer that stands still") {
    const ring::Claimed claimed = bench.writer->try_claim(64, 1);
    for (int i = 0; i < 1000; ++i) bench.round();
    CHECK(bench.hold() == Hold::stopped_claim);
    bench.writer->abort(claimed, 1);
    for (int i = 0; i < 5; ++i) bench.round();
    CHECK(bench.hold() == Hold::none);
  }
}

TEST_CASE("duty: a tail that was put back behind committed records is quarantined", "[flusher]") {
  Bench bench(1);
  bench.publish(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.hold() == Hold::none);
  const auto view = bench.topic->view(0);
  const layout::Tail tail = view.codec().unpack(view.tail().load());
  SECTION("by a record") {
    view.tail().store(view.codec().pack({false, tail.position - 32, tail.offset_low}));
  }
  SECTION("by everything, as a hole that was filled again") {
    view.tail().store(0);
  }
  bench.round();
  CHECK(bench.hold() == Hold::quarantined);
  CHECK_THAT(bench.lines.back(), Catch::Contains("put back"));
  CHECK(bench.publish(1) == 0);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.duty->drained());
  // Nor does it help to open it again.
  view.tail().store(view.codec().pack(tail));
  bench.round();
  CHECK(view.codec().unpack(view.tail().load()).closed);
}

TEST_CASE("duty: a tail that was put far ahead is quarantined, not taken for a worn-out ring",
          "[flusher]") {
  Bench bench(1);
  bench.publish(50);
  for (int i = 0; i < 5; ++i) bench.round();
  const auto view = bench.topic->view(0);
  const std::uint64_t ahead = GENERATE_COPY(view.board().limit.load() + layout::kUnitBytes,
                                            view.codec().position_end() - layout::kUnitBytes);
  view.tail().store(view.codec().pack({false, ahead, 0}));
  bench.round();
  CHECK(bench.hold() == Hold::quarantined);
  CHECK_FALSE(bench.duty->trouble(std::chrono::steady_clock::now()));
}

TEST_CASE("duty: a slow claim that ends while it is looked at is no forgery", "[flusher]") {
  Bench bench(1, 1100);
  bench.publish(5);
  const ring::Claimed claimed = bench.writer->try_claim(64, 1);
  // The first batch is due when the claim has stood for long: that it is refused is said after the
  // stamps were looked at and before the slots are.
  bench.disk.capacity = 0;
  bench.on_line = [&] { bench.writer->abort(claimed, 1); };
  for (int i = 0; i < 200; ++i) bench.round();
  REQUIRE_FALSE(bench.lines.empty());
  CHECK(bench.hold() == Hold::disk_full);
}

TEST_CASE("duty: a dead producer's spoiled slot is given up in the end", "[flusher]") {
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 5; ++i) bench.round();
  const auto claimed = bench.writer->try_claim(64, 1);
  REQUIRE(claimed.status == Status::ok);
  // It says that it only tried, and a length that ends nowhere.
  bench.slot.length.store(layout::pack_length(32, 1));
  bench.slot.word.store(layout::pack_intent(claimed.position, layout::Intent::trying));
  REQUIRE_FALSE(bench.duty->release(1));
  bool settled = false;
  for (int i = 0; i < 1100 && !settled; ++i) {
    bench.now += std::chrono::milliseconds(1);
    bench.duty->round(bench.now, [&](std::uint64_t, bool repaired) { settled = !repaired; });
  }
  CHECK(settled);
}

TEST_CASE("duty: in quarantine tail stays closed, whatever an exclusive producer stored over it",
          "[flusher]") {
  Bench bench(1);
  bench.publish(1);
  const std::uint64_t open = bench.topic->view(0).tail().load();
  bench.topic->view(0).store_header(0, layout::RecordHeader{});  // kind 0 is none
  bench.round();
  REQUIRE(bench.hold() == Hold::quarantined);
  CHECK(bench.publish(1) == 0);
  bench.topic->view(0).tail().store(open);
  bench.round();
  CHECK(bench.publish(1) == 0);
}

}  // namespace partition_duty_spoiled_test
