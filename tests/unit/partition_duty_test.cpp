#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <string>

#include "daemon/ring_ending.hpp"
#include "shm/barrier.hpp"
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

}  // namespace partition_duty_test
