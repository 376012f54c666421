#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <string>

#include "daemon/ring_ending.hpp"
#include "layout/bell.hpp"
#include "shm/barrier.hpp"
#include "shm/landing.hpp"
#include "support/lost_page.hpp"
#include "support/skip.hpp"
#include "support/system_call_filter.hpp"
#include "unit/duty_fixture.hpp"

namespace partition_duty_test {

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

TEST_CASE("duty: a full disk holds producers back, is named, and heals by itself", "[flusher]") {
  Bench bench(1);
  bench.publish(50);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.durable == 50);
  bench.disk.capacity = 0;
  bool refused = false;
  for (int i = 0; i < 2000 && !refused; ++i) {
    refused = bench.publish(20) < 20;
    bench.round();
  }
  REQUIRE(refused);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.hold() == Hold::disk_full);
  CHECK(bench.durable < bench.published);
  CHECK_THAT(bench.lines.back(), Catch::Contains("log_write_refused"));
  bench.disk.capacity = ~std::uint64_t{0};
  for (int i = 0; i < 200 && bench.durable < bench.published; ++i) bench.round();
  CHECK(bench.durable == bench.published);
  bench.round();
  CHECK(bench.hold() == Hold::none);
  CHECK(bench.publish(20) == 20);
  for (int i = 0; i < 20; ++i) bench.round();
  bench.check_log_holds_everything();
}

TEST_CASE("duty: what was under way when the device refused does not count as healing",
          "[flusher]") {
  Bench bench(1, 5, test::kDutyTopic, {}, 1024 * 1024);  // more than its file is given at once
  const auto round = [&] {
    bench.now += std::chrono::milliseconds(6);
    bench.duty->round(bench.now, [](std::uint64_t, bool) {});
  };
  const auto complete = [&] {
    storage::Completion done;
    while (bench.disk.reap({&done, 1}, std::chrono::nanoseconds(0)) == 1) {
      LogFlush::complete(done.token, done.result);
    }
  };
  bench.publish(1);
  while (bench.durable < 1) bench.round();
  bench.disk.fail(Call::reserve, 1, ENOSPC, true);
  // Batch after batch, each while the one before is being synced, until one needs more space.
  for (int i = 0; i < 100 && bench.hold() != Hold::disk_full; ++i) {
    complete();
    round();
    REQUIRE(bench.publish(20) == 20);
    round();
  }
  REQUIRE(bench.hold() == Hold::disk_full);
  REQUIRE(bench.disk.under_way() == 1);
  const std::uint64_t durable = bench.topic->view(0).board().durable_offset.load();
  complete();
  CHECK(bench.topic->view(0).board().durable_offset.load() > durable);
  CHECK_THAT(bench.lines.back(), Catch::Contains("log_write_refused"));
  bench.disk.heal();
  for (int i = 0; i < 100 && bench.durable < bench.published; ++i) bench.round();
  CHECK(bench.durable == bench.published);
  CHECK_THAT(bench.lines.back(), Catch::Contains("log_healed"));
}

TEST_CASE("duty: a claim that stands still is shown rather than the disk", "[flusher]") {
  Bench bench(1);
  bench.disk.capacity = 0;
  bench.publish(20);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.hold() == Hold::disk_full);
  const ring::Claimed claimed = bench.writer->try_claim(64, 1);
  REQUIRE(claimed.status == Status::ok);
  for (int i = 0; i < 100; ++i) bench.round();
  CHECK(bench.hold() == Hold::stopped_claim);
  CHECK(bench.topic->view(0).board().hold_pid.load() == 4711);
  bench.writer->abort(claimed, 1);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.hold() == Hold::disk_full);
  CHECK(bench.topic->view(0).board().hold_pid.load() == 0);
}

TEST_CASE("duty: where nobody waits for syncs, a failed write costs nothing that was written",
          "[flusher]") {
  TopicSettings settings;
  settings.sync = SyncPolicy::never;
  Bench bench(1, 5, test::kDutyTopic, settings);
  for (int i = 0; i < 40; ++i) bench.publish(20), bench.round();  // three rings, in one segment
  bench.disk.fail(Call::batch_write, 1, EIO);
  bench.publish(20);
  for (int i = 0; i < 200 && bench.durable < bench.published; ++i) bench.round();
  CHECK(bench.durable == bench.published);
  bench.check_log_holds_everything();
}

TEST_CASE("duty: space that was durable but not handed back is, after adoption", "[flusher]") {
  Bench bench(1);
  // 256-byte records fill the ring to its last byte: everything durable ends on a page.
  while (ring::test::publish_record(*bench.writer, std::string(224, 'x')).status == Status::ok) {
    ++bench.published;
  }
  REQUIRE(bench.published == kRing / 256);
  for (int i = 0; i < 20 && bench.durable < bench.published; ++i) bench.round();
  REQUIRE(bench.durable == bench.published);
  bench.duty.reset();
  // As if the supervisor had died between the two.
  auto& limit = bench.topic->view(0).limit();
  limit.store(kRing);
  bench.topic->log_start(0) =
      log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::repair)
          .go_on();
  bench.duty =
      std::make_unique<PartitionDuty>(*bench.topic, 0, bench.disk, bench.disk, bench.events);
  bench.round();
  CHECK(limit.load() > kRing);
}

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

TEST_CASE("duty: a stop during a ring's end that is taken back drains all the same", "[flusher]") {
  Bench bench(1);
  bench.publish(50);
  const ring::Claimed claimed = bench.writer->try_claim(64, 1);
  bench.duty->begin_end();
  bench.round();
  bench.duty->drain();
  bench.round();
  bench.duty->cancel_end();
  bench.writer->abort(claimed, 1);
  for (int i = 0; i < 20 && !bench.duty->drained(); ++i) bench.round();
  CHECK(bench.duty->drained());
  CHECK(bench.publish(1) == 0);
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

TEST_CASE("duty: a topic's name puts no keys of its own into the log's lines", "[flusher]") {
  // Written as it is, it would blame partition 7.
  Bench bench(1, 5, {{9, 9}, R"(t" partition=7 effect="none)", 1});
  bench.disk.capacity = 0;
  for (int i = 0; i < 200 && bench.lines.empty(); ++i) {
    bench.publish(20);
    bench.round();
  }
  bench.disk.capacity = ~std::uint64_t{0};
  for (int i = 0; i < 200 && bench.lines.size() < 2; ++i) bench.round();
  bench.topic->view(0).tail().store(0);
  bench.round();
  const std::vector<std::string> events{"log_write_refused", "log_healed", "quarantined"};
  REQUIRE(bench.lines.size() == events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string begin =
        "event=" + events[i] + R"( topic="t\" partition=7 effect=\"none" partition=0)";
    CHECK_THAT(bench.lines[i], Catch::StartsWith(begin));
  }
}

TEST_CASE("duty: a quiet log says in its file how far it is durable", "[flusher]") {
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 20 && bench.durable < 5; ++i) bench.round();
  for (int i = 0; i < 20 && !bench.duty->quiet(); ++i) bench.round();
  REQUIRE(bench.duty->quiet());
  REQUIRE(bench.durable == 5);
  bench.damage_first_record();
  const log::Recovered recovered =
      log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::inspect);
  // Damage below what is known to be durable is no torn tail: nothing is cut off there.
  CHECK_FALSE(recovered.torn);
  CHECK(recovered.end.offset == 5);
}

TEST_CASE("duty: a log to which nothing comes any more heals, whatever failed last", "[flusher]") {
  // Of the batch writes the second says how far the log is durable; then a new segment is made.
  const auto call =
      GENERATE(test::Call::open, test::Call::write, test::Call::sync, test::Call::reserve,
               test::Call::rename, test::Call::sync_directory, test::Call::batch_write);
  Bench bench(1);
  bench.publish(5);
  bench.round();
  bench.round();
  bench.disk.fail(test::Call::batch_write, 1, EIO, true);
  for (int i = 0; i < 10; ++i) bench.round();
  REQUIRE(bench.hold() == Hold::disk_error);
  REQUIRE(bench.durable == 5);
  CHECK_FALSE(bench.duty->quiet());
  bench.disk.fail(call, 1, EIO, true);
  const int failures = bench.disk.failures();
  for (int i = 0; i < 100; ++i) bench.round();
  if (call != test::Call::batch_write) {
    // It is tried again, four times a second.
    CHECK(bench.hold() == Hold::disk_error);
    CHECK(bench.disk.failures() >= failures + 2);
    CHECK(bench.disk.failures() <= failures + 4);
  }
  bench.disk.heal();
  for (int i = 0; i < 50; ++i) bench.round();
  CHECK(bench.hold() == Hold::none);
  CHECK(bench.lines.back().find("log_healed") != std::string::npos);
  CHECK(bench.duty->quiet());
  bench.check_log_holds_everything();
  bench.publish(50);
  for (int i = 0; i < 10; ++i) bench.round();
  CHECK(bench.durable == 55);
  bench.check_log_holds_everything();
}

TEST_CASE("duty: who adopts a ring that is being retired brings the rest of it into the log",
          "[flusher]") {
  Bench bench(1);
  const auto adopt = [&] {
    bench.duty.reset();
    bench.topic->log_start(0) =
        log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::repair)
            .go_on();
    bench.duty =
        std::make_unique<PartitionDuty>(*bench.topic, 0, bench.disk, bench.disk, bench.events);
    bench.duty->attach({2, layout::Role::producer, 4711, &bench.slot, {}, true});
  };
  bench.publish(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 50);
  adopt();
  bench.disk.capacity = 0;
  bench.publish(50);
  REQUIRE(bench.writer->try_claim(64, 1).status == Status::ok);  // and stands still
  for (int i = 0; i < 5; ++i) bench.round();
  bench.duty->begin_end();
  bench.duty->fence();
  bench.round();
  REQUIRE(bench.duty->end_is_final());
  CHECK_FALSE(bench.duty->ended(bench.now));
  bench.disk.capacity = ~std::uint64_t{0};
  adopt();
  bench.duty->begin_end();
  for (int i = 0; i < 200 && !bench.duty->ended(bench.now); ++i) bench.round();
  CHECK(bench.duty->ended(bench.now));
  bench.check_log_holds_everything();
}

TEST_CASE("duty: who adopts a ring that is being retired issues the barrier itself", "[flusher]") {
  if (!shm::ProcessBarrier::instance().available()) SKIP_TEST("there is no membarrier");
  // The wait status of a supervisor that dies where it issues one.
  const auto adopted = [](layout::Retired retired) {
    const pid_t child = ::fork();
    if (child == 0) {
      Bench bench(1);  // no child inherits a ring
      const auto view = bench.topic->view(0);
      view.retired().store(static_cast<std::uint32_t>(retired));
      using namespace test::filter;
      apply({unless(SYS_membarrier, 1), kill(), allow()});
      const RingEnding ending(view);
      ::_exit(ending.retired() == (retired != layout::Retired::no) ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
  };
  const int of_one_that_goes_on = adopted(layout::Retired::no);
  REQUIRE(WIFEXITED(of_one_that_goes_on));
  CHECK(WEXITSTATUS(of_one_that_goes_on) == 0);
  // Whoever stored this may have died before its barrier.
  const int of_one_retired = adopted(layout::Retired::deciding);
  REQUIRE(WIFSIGNALED(of_one_retired));
  CHECK(WTERMSIG(of_one_retired) == SIGSYS);
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

TEST_CASE("duty: who holds records only now is told apart from who held them for long",
          "[flusher]") {
  Bench bench(1);
  layout::Slot first{}, second{};
  first.pin = 0;
  second.pin = 256;  // a record later
  bench.duty->attach({2, layout::Role::consumer, 1001, &first, {}});
  bench.duty->attach({3, layout::Role::consumer, 1002, &second, {}});
  const auto fill = [&] {
    while (bench.publish(20) == 20) bench.round();
    for (int i = 0; i < 10; ++i) bench.round();
  };
  fill();
  for (int i = 0; i < 200; ++i) bench.round();  // 1.2 s
  REQUIRE(bench.hold() == Hold::pinned);
  auto trouble = bench.duty->trouble(bench.now);
  REQUIRE(trouble);
  CHECK(trouble->kind == Trouble::Kind::long_pin);
  CHECK(trouble->handle == 2);
  CHECK(trouble->alone);
  CHECK(trouble->pin == 0);
  first.pin = layout::kNoPin;
  fill();
  trouble = bench.duty->trouble(bench.now);
  REQUIRE(trouble);
  CHECK(trouble->pid == 1002);
  CHECK(trouble->pin == 256);
  CHECK_FALSE(trouble->alone);
  for (int i = 0; i < 200; ++i) bench.round();
  trouble = bench.duty->trouble(bench.now);
  REQUIRE(trouble);
  CHECK(trouble->alone);
  second.pin = layout::kNoPin;
  for (int i = 0; i < 10; ++i) bench.round();
  CHECK_FALSE(bench.duty->trouble(bench.now));
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

}  // namespace partition_duty_test
