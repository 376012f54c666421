// A persisted topic that goes on in memory only while its device refuses: when_disk_fails = memory.

#include <catch2/catch.hpp>
#include <cerrno>
#include <random>
#include <vector>

#include "client/log_gaps.hpp"
#include "daemon/gap_list.hpp"
#include "daemon/ring_opening.hpp"
#include "daemon/ring_start.hpp"
#include "daemon/topic_registry.hpp"
#include "unit/told_bench.hpp"

namespace memory_only_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::Hold;
using test::Call;

namespace {

constexpr std::uint64_t kRing = test::kDutyRing;

TopicSettings settings_of(SyncPolicy sync, WhenDiskFails when_disk_fails) {
  TopicSettings settings;
  settings.sync = sync;
  settings.when_disk_fails = when_disk_fails;
  return settings;
}

struct Bench : test::ToldBench {
  explicit Bench(std::uint64_t seed, SyncPolicy sync = SyncPolicy::interval,
                 WhenDiskFails when_disk_fails = WhenDiskFails::memory)
      : ToldBench(seed, 5, test::kDutyTopic, settings_of(sync, when_disk_fails)) {}

  /// Lets the producer go on; nothing makes it wait for longer than one try of a device that takes
  /// writes and refuses syncs.
  void go_on(int records) {
    for (int waits = 0; records > 0;) {
      const int some = publish(std::min(records, 20));
      records -= some;
      waits = some == 0 ? waits + 1 : 0;
      if (waits == 10) FAIL("waits at " << published);
      round();
      look();
    }
  }
  void look() {
    if (++looked % 4 == 0) tell();
  }
  void kill() {
    duty.reset();
    disk.kill();
    const log::Recovered found = recover_log(*topic, 0, disk, log::RecoverMode::adopt);
    reopen_partition(*topic, 0, found, events);
    start_duty();
  }
  /// Supervisor and keeper die at once. The topic as the next supervisor has it.
  std::shared_ptr<ServedTopic> lose_ring(bool and_power) {
    duty.reset();
    if (and_power) {
      disk.power_cut();
    } else {
      disk.kill();
    }
    const TopicIdentity identity{topic->uuid(), "t", 2};
    const TopicSettings& settings = topic->settings();
    auto next = std::make_shared<ServedTopic>(ServedTopic::Options{identity, settings, 2, "t"},
                                              daemon::TopicMemory::create(identity, settings, 8));
    const log::Recovered found = recover_log(*next, 0, disk, log::RecoverMode::repair);
    open_partition(*next, 0, ring_start(settings, {}, found.floor), found);
    return next;
  }
  void settle() {
    for (int i = 0; i < 400 && (board().durable_offset.load() < published || hold() != Hold::none);
         ++i) {
      round();
      look();
    }
    REQUIRE(board().durable_offset.load() == published);
    CHECK(hold() == Hold::none);
  }

  int looked = 0;
};

}  // namespace

TEST_CASE("memory only: a full disk holds nobody up, leaves an exact gap, and heals", "[flusher]") {
  Bench bench(1, GENERATE(SyncPolicy::interval, SyncPolicy::every_batch, SyncPolicy::never));
  bench.go_on(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 50);
  bench.disk.capacity = 0;
  while (bench.hold() != Hold::disk_full) bench.go_on(20);  // it had some space set aside
  // Room for half a ring before anything is left out.
  CHECK(bench.board().log_gaps.load() == 0);
  const std::uint64_t full_at = bench.published;
  bench.go_on(5000);  // twenty rings
  CHECK(bench.hold() == Hold::memory_only);
  CHECK(bench.says("log_suspended"));
  CHECK(bench.board().durable_offset.load() <= full_at);
  CHECK(bench.board().written_offset.load() <= full_at);
  REQUIRE(bench.board().log_gaps.load() == 1);
  // What left memory is known to be lost at once; what is there still may be saved.
  const std::uint64_t to = bench.board().log_gap[0].to.load();
  CHECK(lost_to_log(bench.board(), to - 1, Level::written));
  CHECK_FALSE(lost_to_log(bench.board(), to, Level::durable));
  CHECK(to > bench.published - kRing / 224);
  bench.disk.capacity = ~std::uint64_t{0};
  bench.settle();
  CHECK(bench.says("event=log_gap topic=t partition=0 log_end="));
  CHECK(bench.says("log_healed"));
  CHECK(bench.board().log_gap[0].to.load() == to);
  bench.go_on(200);
  bench.settle();
  CHECK(bench.board().log_gaps.load() == 1);
  bench.check(true);
}

TEST_CASE("memory only: nobody waits for a device that takes writes and refuses syncs",
          "[flusher]") {
  Bench bench(1);
  bench.go_on(50);
  for (int i = 0; i < 5; ++i) bench.round();
  bench.disk.fail(Call::batch_sync, 1, EIO, true);
  bench.go_on(2000);  // eight rings
  CHECK(bench.hold() == Hold::memory_only);
  CHECK(bench.board().written_offset.load() > 50);
  CHECK(bench.board().durable_offset.load() == 50);
}

TEST_CASE("memory only: a claim that stands still is shown rather than the disk", "[flusher]") {
  Bench bench(1);
  bench.disk.capacity = 0;
  while (bench.hold() != Hold::memory_only) bench.go_on(20);
  const ring::Claimed claimed = bench.writer->try_claim(64, 1);
  REQUIRE(claimed.status == Status::ok);
  for (int i = 0; i < 100; ++i) bench.round();
  CHECK(bench.hold() == Hold::stopped_claim);
  bench.writer->abort(claimed, 1);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.hold() == Hold::memory_only);
}

TEST_CASE("memory only: with time to spare nothing is left out of the log", "[flusher]") {
  Bench bench(1);
  bench.go_on(50);
  bench.disk.capacity = 0;
  while (bench.hold() != Hold::disk_full) bench.go_on(20);
  for (int i = 0; i < 100; ++i) bench.round();
  CHECK(bench.hold() == Hold::disk_full);
  bench.disk.capacity = ~std::uint64_t{0};
  bench.settle();
  CHECK(bench.board().log_gaps.load() == 0);
  bench.check(true);
}

TEST_CASE("memory only: whatever fails and whoever is killed, what was told is in the log",
          "[flusher]") {
  const SyncPolicy sync = GENERATE(SyncPolicy::interval, SyncPolicy::never);
  const bool kills = GENERATE(false, true);
  int gaps = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed, static_cast<int>(sync), kills);
    std::mt19937_64 random(seed);
    Bench bench(seed, sync);
    constexpr Call kCalls[] = {Call::open,     Call::write,       Call::sync,
                               Call::reserve,  Call::rename,      Call::sync_directory,
                               Call::truncate, Call::batch_write, Call::batch_sync};
    for (int phase = 0; phase < 8; ++phase) {
      bench.go_on(static_cast<int>(random() % 300));
      const auto failing = random() % 4;
      if (failing != 0) {
        const int error = random() % 2 == 0 ? EIO : ENOSPC;
        for (std::uint64_t i = 0; i < failing; ++i) {
          const Call call = kCalls[random() % std::size(kCalls)];
          bench.disk.fail(call, 1 + static_cast<int>(random() % 5), error, true);
        }
      }
      bench.go_on(static_cast<int>(random() % 1200));
      if (kills && random() % 2 == 0) {
        bench.disk.heal();  // a start needs its files
        bench.kill();
        bench.go_on(static_cast<int>(random() % 100));
      }
      if (random() % 2 == 0) {
        bench.disk.heal();
        for (int i = 0; i < 100 && bench.hold() != Hold::none; ++i) bench.round();
      }
    }
    bench.disk.heal();
    bench.settle();
    bench.go_on(50);
    bench.settle();
    bench.check(!kills);
    gaps += static_cast<int>(bench.board().log_gaps.load());
  }
  CHECK(gaps > 30);
}

TEST_CASE("memory only: who is killed in any round of a full disk is followed by one that goes on",
          "[flusher]") {
  for (int rounds = 0; rounds < 24; ++rounds) {
    CAPTURE(rounds);
    Bench bench(static_cast<std::uint64_t>(rounds) + 1);
    if (rounds % 2 == 0) {
      bench.go_on(50);
      for (int i = 0; i < 5; ++i) bench.round();
    }
    bench.disk.capacity = 0;
    bench.go_on(20 * rounds);
    bench.kill();
    bench.go_on(600);
    bench.kill();
    bench.disk.capacity = ~std::uint64_t{0};
    bench.go_on(20 * (rounds % 7));
    bench.kill();
    bench.settle();
    bench.check(true);
    bench.kill();
    bench.settle();
    bench.go_on(20);
    bench.settle();
    bench.check(true);
  }
}

TEST_CASE(
    "memory only, or not: a ring that a long pin holds up is not ended while the device refuses",
    "[flusher]") {
  const bool memory = GENERATE(true, false);
  Bench bench(1, SyncPolicy::interval, memory ? WhenDiskFails::memory : WhenDiskFails::wait);
  test::Slot consumer{};
  bench.duty->attach({2, test::Role::consumer, 4712, &consumer, {}});
  bench.go_on(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 50);
  CHECK_FALSE(bench.topic->device_refuses(0).load());
  bench.disk.fail(Call::batch_write, 1, EIO, true);
  while (bench.publish(20) == 20) bench.round();
  for (int i = 0; i < 400; ++i) bench.round();
  // The pin is what producers of the one wait for. The end of the ring would wait for more.
  CHECK(bench.hold() == (memory ? Hold::pinned : Hold::disk_error));
  CHECK(bench.says("log_suspended") == memory);
  REQUIRE(bench.duty->trouble(bench.now));
  CHECK(bench.topic->device_refuses(0).load());
  Topic topic{.row = {},
              .settings = bench.topic->settings(),
              .access = {},
              .cursors = NamedCursors({}, 1, {})};
  topic.served = bench.topic;
  CHECK_THROWS_WITH(TopicRegistry::demand_device(topic), Catch::Contains("device"));
  bench.disk.heal();
  for (int i = 0; i < 100; ++i) bench.round();
  CHECK(bench.hold() == Hold::pinned);
  TopicRegistry::demand_device(topic);
}

TEST_CASE(
    "memory only: what was never synced in front of a gap is not durable when the ring is lost",
    "[flusher]") {
  const bool and_power = GENERATE(false, true);
  bool lost_something = false;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed, and_power);
    Bench bench(seed);
    bench.go_on(50);
    for (int i = 0; i < 5; ++i) bench.round();
    REQUIRE(bench.durable == 50);
    bench.disk.fail(Call::batch_sync, 1, EIO, true);
    for (int i = 0; i < 200; ++i) {
      bench.publish(1);
      bench.round();
    }
    bench.go_on(2000);
    const layout::LogGap& gap = bench.board().log_gap[0];
    REQUIRE(gap.durable.load() == 50);
    REQUIRE(gap.written.load() > 50);
    bench.disk.heal();
    bench.settle();
    bench.go_on(20);
    bench.settle();
    const std::vector<bool> there = [&] {
      const auto next = bench.lose_ring(and_power);
      const layout::BoardPartition& board = next->view(0).board();
      REQUIRE(board.durable_offset.load() > bench.published);
      std::vector<bool> found = bench.in_log();
      for (std::uint64_t offset = 0; offset < bench.published; ++offset) {
        CAPTURE(offset, gap.written.load(), gap.to.load());
        const bool unsynced = offset >= 50 && offset < gap.to.load();
        CHECK(lost_to_log(board, offset, Level::durable) == unsynced);
        CHECK(lost_to_log(board, offset, Level::written) == !found[offset]);
      }
      return found;
    }();
    for (std::uint64_t offset = 50; offset < gap.written.load(); ++offset) {
      if (!and_power) CHECK(there[offset]);
      lost_something = lost_something || !there[offset];
    }
  }
  CHECK(lost_something == and_power);
}

TEST_CASE("memory only: who adopts a ring goes on behind what it gave back", "[flusher]") {
  // Of the retry of the device that refuses a second time, or never.
  const int rounds = GENERATE(range(0, 5));
  const int more = GENERATE(0, 100);
  CAPTURE(rounds, more);
  Bench bench(1);
  bench.go_on(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 50);
  bench.disk.fail(Call::batch_sync, 1, EIO, true);
  bench.publish(200);
  while (bench.board().log_gaps.load() == 0) {
    bench.round();
    if (bench.hold() == Hold::disk_error) bench.publish(1);
  }
  // What was written is the first that is given back.
  const layout::LogGap& gap = bench.board().log_gap[0];
  const std::uint64_t written = gap.written.load();
  REQUIRE(written > 100);
  REQUIRE(gap.to.load() == written);
  for (int i = 0; i < 50; ++i) bench.round();
  bench.tell();
  bench.kill();
  if (rounds != 0) bench.disk.fail(Call::batch_sync, 1, EIO, true);
  for (int i = 0; i < 2; ++i) bench.round();
  bench.disk.heal();
  for (int i = 0; i < 38 + rounds; ++i) bench.round();
  if (more != 0) {
    while (bench.publish(1) == 1) {
    }
  }
  bench.settle();
  bench.go_on(20);
  bench.settle();
  bench.check(true);
  const std::vector<bool> there = bench.in_log();
  const auto next = bench.lose_ring(false);
  for (std::uint64_t offset = 0; offset < bench.published; ++offset) {
    CAPTURE(offset);
    const bool synced = rounds == 0 || offset < 50 || offset >= written;
    CHECK(lost_to_log(next->view(0).board(), offset, Level::durable) != (there[offset] && synced));
  }
}

TEST_CASE("flusher: who is killed between the two words of a mark gives no offset twice",
          "[flusher]") {
  Bench bench(1, SyncPolicy::interval, WhenDiskFails::wait);
  bench.go_on(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 50);
  bench.publish(20);
  while (bench.durable != 70) bench.round();
  bench.board().durable_offset.store(50);
  bench.durable = 50;
  bench.publish(20);
  bench.kill();
  CHECK(bench.topic->log_start(0).durable.offset == 70);
  bench.disk.fail(Call::batch_sync, 1, EIO);
  bench.settle();
  bench.check(true);
}

TEST_CASE("gaps: more than the board remembers, and what it has forgotten counts as lost",
          "[flusher]") {
  layout::BoardPartition board{};
  GapList gaps(board);
  CHECK_FALSE(lost_to_log(board, 0, Level::durable));
  for (std::uint64_t i = 1; i <= 30; ++i) gaps.extend(100 * i + 10, 100 * i + 5, 100 * i + 50);
  for (std::uint64_t i = 23; i <= 30; ++i) {
    CHECK_FALSE(lost_to_log(board, 100 * i + 4, Level::durable));
    CHECK(lost_to_log(board, 100 * i + 5, Level::durable));
    CHECK_FALSE(lost_to_log(board, 100 * i + 9, Level::written));
    CHECK(lost_to_log(board, 100 * i + 49, Level::written));
    CHECK_FALSE(lost_to_log(board, 100 * i + 50, Level::durable));
    CHECK_FALSE(lost_to_log(board, 100 * i + 20, Level::committed));
  }
  CHECK(lost_to_log(board, 1, Level::written));
  CHECK_FALSE(lost_to_log(board, 9999, Level::durable));
}

TEST_CASE("gaps: a ring's successor knows what was written in front of a gap and never synced",
          "[flusher]") {
  layout::BoardPartition board{}, next{};
  for (std::uint64_t i = 1; i <= 12; ++i) {
    GapList(board).extend(100 * i + 10, 100 * i + 5, 100 * i + 50);
  }
  GapList(next).go_on(board, {0, 1300}, {0, 1300});
  CHECK(next.log_gaps.load() == 12);
  CHECK(lost_to_log(next, 1205, Level::durable));
  CHECK_FALSE(lost_to_log(next, 1205, Level::written));
  CHECK_FALSE(lost_to_log(next, 1204, Level::durable));
  CHECK(lost_to_log(next, 1249, Level::written));
  CHECK_FALSE(lost_to_log(next, 1299, Level::durable));
  // Of one that lost its ring, all in front of its beginning.
  GapList(next).go_on(board, {0, 1300}, {0, 1400});
  CHECK(lost_to_log(next, 1399, Level::written));
  CHECK(lost_to_log(next, 1205, Level::durable));
}

TEST_CASE("gaps: one that goes on where the last ended without a record between is one",
          "[flusher]") {
  layout::BoardPartition board{};
  GapList gaps(board);
  gaps.extend(10, 8, 20);
  gaps.extend(10, 8, 40);
  gaps.extend(40, 40, 60);  // the log ended where an empty segment began
  CHECK(board.log_gaps.load() == 1);
  CHECK(board.log_gap[0].written.load() == 10);
  CHECK(board.log_gap[0].to.load() == 60);
  gaps.extend(61, 60, 70);
  CHECK(board.log_gaps.load() == 2);
  CHECK_FALSE(lost_to_log(board, 60, Level::written));
  // Of what was written and never synced, nothing else is known.
  gaps.extend(90, 80, 90);
  CHECK(lost_to_log(board, 80, Level::durable));
  CHECK_FALSE(lost_to_log(board, 89, Level::written));
}

}  // namespace memory_only_test
