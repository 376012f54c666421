#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "layout/bell.hpp"
#include "unit/duty_fixture.hpp"

namespace partition_duty_waits_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::Hold;
using test::Call;
using Bench = test::DutyBench;

TEST_CASE("duty: what waits for the device is due when that has ended, not before", "[flusher]") {
  Bench bench(1);
  const auto due_meanwhile = [&] {
    bench.now += std::chrono::milliseconds(6);  // a batch's time has come
    return bench.duty->round(bench.now, [](std::uint64_t, bool) {}).due;
  };
  bench.publish(1);
  CHECK(due_meanwhile() > bench.now);
  bench.publish(1);  // goes with the next batch
  CHECK(due_meanwhile() > bench.now);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.durable == 2);
}

TEST_CASE("duty: who waits for a level is not woken by others that move", "[flusher]") {
  Bench bench(1);
  const auto& board = bench.topic->view(0).board();
  auto& waiters = bench.topic->memory().bell(0).progress_waiters;
  const auto look = [&] { bench.duty->round(bench.now, [](std::uint64_t, bool) {}); };
  bench.publish(1);
  bench.round();
  REQUIRE(board.written_offset.load() == 1);
  waiters = layout::kWaitsForDurable;
  look();
  CHECK(board.progress.load() == 0);
  CHECK(waiters.load() == layout::kWaitsForDurable);
  bench.round();
  REQUIRE(board.durable_offset.load() == 1);
  look();
  CHECK(board.progress.load() == 1);
  CHECK(waiters.load() == 0);

  // Earlier libraries do not say what they wait for.
  waiters = layout::kWaitsForAny;
  bench.publish(1);
  bench.round();
  CHECK(board.progress.load() == 2);
}

TEST_CASE("duty: of many that wait for a level, those are woken whose offsets reached it",
          "[flusher]") {
  Bench bench(1);
  const auto& board = bench.topic->view(0).board();
  auto& waiters = bench.topic->memory().bell(0).told_waiters;
  const auto look = [&] { bench.duty->round(bench.now, [](std::uint64_t, bool) {}); };
  const std::uint32_t written_2 = 1U << (layout::kToldWords + 2);
  waiters = written_2;  // until the batch has gone out without its sync
  bench.publish(20);
  bench.round();
  REQUIRE(board.written_offset.load() == 20);
  waiters = 0b1011 | written_2;
  look();
  CHECK(waiters.load() == 0b1011);
  CHECK(board.told[2].load() == 1);
  CHECK(board.told[0].load() == 0);
  bench.round();
  REQUIRE(board.durable_offset.load() == 20);
  look();
  CHECK(waiters.load() == 0b1000);  // of offset 24 or behind
  CHECK(board.told[0].load() == 1);
  CHECK(board.told[1].load() == 1);
  CHECK(board.told[2].load() == 1);
  CHECK(board.told[3].load() == 0);
  CHECK(board.progress.load() == 0);

  waiters = 1U << 9;
  bench.topic->wake_everybody();
  CHECK(waiters.load() == 0);
  CHECK(board.told[9].load() >= 1);
  CHECK(board.told[3].load() == 1);  // who is about to sleep there
}

TEST_CASE("duty: what waits for a sync goes out with it, one batch at a time", "[flusher]") {
  Bench bench(1);
  const auto& board = bench.topic->view(0).board();
  auto& bell = bench.topic->memory().bell(0);
  const auto look = [&] { bench.duty->round(bench.now, [](std::uint64_t, bool) {}); };
  bench.publish(1);
  for (int i = 0; i < 4; ++i) bench.round();
  REQUIRE(bench.durable == 1);
  bell.sync_wanted = 1;
  bell.told_waiters = 1;
  bench.publish(1);
  look();
  CHECK(bell.sync_wanted.load() == layout::kSyncComes);  // nobody has to ring
  REQUIRE(bench.disk.under_way() == 1);
  bell.sync_wanted = 1;
  bell.told_waiters = 1;
  bench.publish(1);
  look();
  CHECK(bench.disk.under_way() == 1);
  bench.round();
  CHECK(bench.durable == 2);
  for (int i = 0; i < 2; ++i) {
    bell.told_waiters = 1;  // woken with its neighbour, it waits again
    bench.round();
  }
  CHECK(bench.durable == 3);

  // Who waits for `written` alone does not wait for a sync.
  bell.told_waiters = 1U << layout::kToldWords;
  bench.publish(1);
  bench.round();
  CHECK(board.written_offset.load() == 4);
  CHECK(bench.durable == 3);
}

TEST_CASE("duty: where that write fails, nothing is durable, and it is tried again", "[flusher]") {
  TopicSettings settings;
  settings.sync = SyncPolicy::every_batch;
  const Call call = GENERATE(Call::batch_write, Call::batch_sync);
  Bench bench(1, 5, test::kDutyTopic, settings);
  bench.publish(10);
  for (int i = 0; i < 4; ++i) bench.round();
  REQUIRE(bench.durable == 10);
  bench.disk.fail(call, 1, EIO);
  bench.publish(10);
  bench.round();
  CHECK(bench.disk.failures() == 1);
  CHECK(bench.durable == 10);
  for (int i = 0; i < 200 && bench.durable < bench.published; ++i) bench.round();
  CHECK(bench.durable == 20);
  bench.check_log_holds_everything();
}

TEST_CASE("duty: a batch waits for as many as came with the last, at most half as long as a sync",
          "[flusher]") {
  using std::chrono::microseconds;
  TopicSettings settings;
  settings.sync = SyncPolicy::every_batch;
  Bench bench(1, 5, test::kDutyTopic, settings);
  const auto& wanted = bench.topic->memory().bell(0).sync_wanted;
  const auto look = [&](microseconds later) {
    bench.now += later;
    return bench.duty->round(bench.now, [](std::uint64_t, bool) {}).due;
  };
  const auto sync_took = [&](microseconds time) {
    storage::Completion done;
    bench.now += time;
    while (bench.disk.reap({&done, 1}, std::chrono::nanoseconds(0)) == 1) {
      LogFlush::complete(done.token, done.result);
    }
  };
  bench.publish(3);
  look(microseconds(1));
  bench.publish(1);
  sync_took(microseconds(100));
  // Four in all: the one that came meanwhile waits for the three that are told now.
  CHECK(look({}) == bench.now + microseconds(50));
  CHECK(bench.disk.under_way() == 0);
  CHECK(wanted.load() == layout::kSyncComes);
  bench.publish(2);
  look(microseconds(30));
  CHECK(bench.disk.under_way() == 0);
  bench.publish(1);
  look(microseconds(1));
  CHECK(bench.disk.under_way() == 1);

  // Who has gone elsewhere is not waited for any longer.
  sync_took(microseconds(100));
  bench.publish(1);
  look({});
  CHECK(bench.disk.under_way() == 0);
  look(microseconds(50));
  CHECK(bench.disk.under_way() == 1);
  // One alone never waits.
  sync_took(microseconds(100));
  look({});
  bench.publish(1);
  look(microseconds(1));
  CHECK(bench.disk.under_way() == 1);
}

TEST_CASE("duty: it is not quiet before a round has told what was written", "[flusher]") {
  TopicSettings settings;
  settings.sync = SyncPolicy::never;
  Bench bench(1, 5, test::kDutyTopic, settings);
  const auto& board = bench.topic->view(0).board();
  const auto complete = [&] {
    storage::Completion done;
    while (bench.disk.reap({&done, 1}, std::chrono::nanoseconds(0)) == 1) {
      LogFlush::complete(done.token, done.result);
    }
  };
  bench.publish(1);
  while (board.written_offset.load() < 1) {
    bench.now += std::chrono::milliseconds(6);
    bench.duty->round(bench.now, [](std::uint64_t, bool) {});
    complete();
  }
  CHECK_FALSE(bench.duty->quiet());  // its waiters were not woken, nor its space handed back
  bench.duty->round(bench.now, [](std::uint64_t, bool) {});
  CHECK(bench.duty->quiet());
}

TEST_CASE("duty: who waits goes out with the next batch, and is heard when that may go",
          "[flusher]") {
  Bench bench(1, 60'000);  // a minute
  const auto& board = bench.topic->view(0).board();
  auto& wanted = bench.topic->memory().bell(0).sync_wanted;
  bench.publish(1);
  bench.round();
  bench.round();
  REQUIRE(board.written_offset.load() == 0);
  wanted = 1;
  bench.duty->round(bench.now, [](std::uint64_t, bool) {});
  CHECK(bench.disk.under_way() == 1);
  CHECK(wanted.load() == layout::kSyncComes);

  // While it is under way the mark stays: nobody behind it need ring.
  bench.publish(1);
  wanted = 1;
  bench.duty->round(bench.now, [](std::uint64_t, bool) {});
  CHECK(wanted.load() == 1);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(wanted.load() == 0);
  CHECK(board.durable_offset.load() == 2);

  // What the flusher said itself, that it would look, hurries nothing.
  bench.publish(1);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(board.written_offset.load() == 2);
}

}  // namespace partition_duty_waits_test
