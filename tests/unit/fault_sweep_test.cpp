// ENOSPC and EIO at each file call of a partition in turn: the k-th of each kind, once and until
// further notice, for k = 1, 2, ... until the life swept over makes no k-th one any more.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <optional>

#include "daemon/ring_opening.hpp"
#include "log/verify.hpp"
#include "ringway/error.hpp"
#include "support/log_driver.hpp"
#include "unit/told_bench.hpp"

namespace fault_sweep_test {

using namespace ringway;
using layout::Hold;
using test::Call;
using test::ToldBench;

namespace {

constexpr int kRounds = 45;  // three segments
constexpr int kARound = 60;  // records, about 15 KiB
constexpr int kLast = 4;     // calls of each kind, tried whatever is left out before

/// Which k are tried: all of the first, then fewer, and the last; with RINGWAY_TEST_LONG all.
int next(int k) {
  static const bool all = std::getenv("RINGWAY_TEST_LONG") != nullptr;
  return all || k < 8 ? k + 1 : k + 13;
}

struct Bench : ToldBench {
  explicit Bench(std::uint64_t seed, WhenDiskFails when_disk_fails = WhenDiskFails::wait)
      : ToldBench(seed, 5, test::kDutyTopic, {.when_disk_fails = when_disk_fails}) {}

  bool in_memory() const { return topic->settings().when_disk_fails == WhenDiskFails::memory; }
};

void work(Bench& bench, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    bench.publish(kARound);
    bench.round();
    if (bench.in_memory() && i % 8 == 0) bench.tell();
  }
}

void settle(Bench& bench) {
  for (int i = 0; i < 300 && bench.durable < bench.published; ++i) bench.round();
  // The device is tried again after 250 ms at the latest, and what it then takes is shown.
  for (int i = 0; i < 50; ++i) bench.round();
}

/// Everything, or what the board says of it.
void check_log(Bench& bench) {
  if (bench.in_memory()) {
    bench.tell();
    bench.check(true);
  } else {
    bench.check_log_holds_everything();
  }
}

/// A start finds no directory, and neither does who writes first.
void begin_without_directory(Bench& bench) {
  bench.disk.remove_directory();
  const log::Recovered found = recover_log(*bench.topic, 0, bench.disk, log::RecoverMode::repair);
  CHECK(found.segments.empty());
  bench.disk.remove_directory();
}

/// Dies, and what the next supervisor goes on with holds everything.
void check_next_start(Bench& bench) {
  bench.duty.reset();
  bench.disk.kill();
  const log::Recovered found = recover_log(*bench.topic, 0, bench.disk, log::RecoverMode::adopt);
  CHECK(found.damaged.empty());
  CHECK(found.end.offset == bench.published);
  bench.topic->log_start(0) = found.go_on();
  bench.start_duty();
  work(bench, 5);
  settle(bench);
  CHECK(bench.durable == bench.published);
  check_log(bench);
}

/// One life with the k-th call failing. When it makes no k-th: how many it makes.
std::optional<int> calls_unless_fault_at(int k, std::uint64_t seed, Call call, int error,
                                         bool lasting, WhenDiskFails when_disk_fails) {
  CAPTURE(static_cast<int>(call), k, seed, error, lasting, static_cast<int>(when_disk_fails));
  Bench bench(seed, when_disk_fails);
  bench.disk.fail(call, k, error, lasting);
  begin_without_directory(bench);
  work(bench, kRounds);
  settle(bench);
  const int calls = bench.disk.calls(call);
  const bool hit = bench.disk.failures() > 0;
  // Space that is not given back hinders nobody. Everything else shows.
  if (hit && lasting && call != Call::truncate) {
    const std::uint64_t before = bench.published;
    work(bench, 20);
    CHECK((bench.says("log_write_refused") || bench.says("log_write_failed")));
    if (bench.in_memory()) {
      CHECK(bench.hold() == Hold::memory_only);
      CHECK(bench.published > before + 15 * kARound);  // not many have to come again
    } else {
      CHECK(bench.hold() == (error == ENOSPC ? Hold::disk_full : Hold::disk_error));
      // The ring is full: producers wait, and what it holds is kept.
      CHECK(bench.publish(1000) < 1000);
    }
  }
  bench.disk.heal();
  // Behind a note of the durable end that was refused nothing else is to be written: the next
  // record shows that the device works.
  work(bench, 1);
  settle(bench);
  CHECK(bench.hold() == Hold::none);
  CHECK(bench.durable == bench.published);
  const auto spoken = [&] {
    return bench.says("log_write_refused") || bench.says("log_write_failed");
  };
  CHECK(spoken() == bench.says("log_healed"));
  check_log(bench);
  check_next_start(bench);
  return hit ? std::nullopt : std::optional(calls);
}

/// Returns how many calls there are.
int sweep(Call call, int error, bool lasting, WhenDiskFails when = WhenDiskFails::wait) {
  int k = 1;
  std::optional<int> calls;
  while (!(calls = calls_unless_fault_at(k, static_cast<std::uint64_t>(k), call, error, lasting,
                                         when))) {
    k = next(k);
  }
  // The last ones of that very life, which are made on the way to the k-th that it does not make.
  for (int last = std::max(1, *calls - kLast + 1); last <= *calls; ++last) {
    CHECK_FALSE(
        calls_unless_fault_at(last, static_cast<std::uint64_t>(k), call, error, lasting, when));
  }
  return *calls;
}

/// A log whose last segment nobody can follow any more, and all memory is lost.
struct DamagedLog {
  explicit DamagedLog(std::uint64_t seed) : disk(seed) {
    driver.emplace(disk, disk, source, settings(), log::LogStart{{}, {}, log::kNoTime, {}});
    add(150);
    driver->drain();
    used = source.tail().offset;
    REQUIRE(driver->log().segments().size() >= 2);
    const storage::File file(
        disk, disk.open(path_of(driver->log().segments().back().name), storage::OpenMode::write));
    REQUIRE(disk.write(file.descriptor(), std::vector(64, kDamage), 0) == 0);
    REQUIRE(disk.sync(file.descriptor()) == 0);
    die(true);
  }
  static std::string path_of(const std::string& name) {
    return std::string(test::kDirectory) + "/" + name;
  }
  static log::LogSettings settings() {
    return {.segment_bytes = 32 * 1024, .record_bytes_max = 4096, .block_bytes = 4096};
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) source.add(std::string(200, 'r'), 10 + i);
  }
  /// A new ring behind everything that may have been used. Throws what the recovery throws.
  log::Recovered start() {
    log::Recovered found = log::recover(disk, test::kDirectory, log::RecoverMode::repair);
    source.begin_again({log::page_ceil(found.floor.position), found.floor.offset}, found.end);
    driver.emplace(disk, disk, source, settings(), found.jump(source.tail()));
    return found;
  }
  void publish() {
    add(5);
    driver->drain();
  }
  void die(bool loses_power) {
    driver.reset();
    if (loses_power) {
      disk.power_cut();
    } else {
      disk.kill();
    }
  }

  /// The damaged file is still there, under one name or another.
  bool keeps_evidence() {
    std::vector<std::string> names;
    REQUIRE(disk.list(test::kDirectory, names) == 0);
    return std::ranges::any_of(names, [&](const std::string& name) {
      const std::vector<std::byte>& bytes = disk.bytes(path_of(name));
      return !bytes.empty() && bytes[0] == kDamage;
    });
  }

  static constexpr std::byte kDamage{0xee};
  test::ModelDisk disk;
  test::RecordSource source{64 * 1024, {}};
  std::optional<test::LogDriver> driver;
  std::uint64_t used = 0;  ///< below which every offset was given when the segment was whole
};

}  // namespace

TEST_CASE("sweep: any file call of a partition fails once, and nothing is lost or taken back",
          "[fault]") {
  const Call call =
      GENERATE(Call::open, Call::write, Call::sync, Call::reserve, Call::truncate, Call::rename,
               Call::sync_directory, Call::make_directories, Call::batch_write, Call::batch_sync);
  const int error = GENERATE(EIO, ENOSPC);
  CHECK(sweep(call, error, false) > 1);  // each kind is called more than once
}

TEST_CASE("sweep: any file call fails until further notice: it shows, is borne, and heals",
          "[fault]") {
  const auto [error, when_disk_fails] = GENERATE(
      table<int, WhenDiskFails>({{EIO, WhenDiskFails::wait},
                                 {ENOSPC, WhenDiskFails::wait},
                                 {EIO, WhenDiskFails::memory}}));  // the error makes no difference
  const Call call =
      GENERATE(Call::open, Call::write, Call::sync, Call::reserve, Call::truncate, Call::rename,
               Call::sync_directory, Call::make_directories, Call::batch_write, Call::batch_sync);
  CHECK(sweep(call, error, true, when_disk_fails) > 1);
}

TEST_CASE("sweep: a segment that cannot be removed is told, stays, and goes the next time",
          "[fault]") {
  const int error = GENERATE(EIO, ENOSPC);
  Bench bench(1);
  work(bench, kRounds);
  settle(bench);
  const auto segments = [&] { return bench.topic->segments(0).snapshot(); };
  const std::size_t before = segments().size();
  REQUIRE(before >= 3);
  const log::SegmentInfo first = segments()[0], second = segments()[1];
  const std::uint64_t third = segments()[2].first.offset;
  bench.disk.fail(Call::remove, 2, error, true);
  const auto refused = bench.duty->retire_segments(third);
  CHECK(refused.segments == 1);
  CHECK(refused.bytes == first.file_bytes);
  CHECK(refused.error == -error);
  CHECK_THAT(refused.path, Catch::EndsWith(second.name));
  CHECK(segments().size() == before - 1);
  CHECK(bench.hold() == Hold::none);
  const auto again = bench.duty->retire_segments(third);
  CHECK(again.segments == 0);
  CHECK(again.error == -error);
  bench.disk.heal();
  const auto gone = bench.duty->retire_segments(third);
  CHECK(gone.segments == 1);
  CHECK(gone.error == 0);
  CHECK(gone.path.empty());
  CHECK(segments().size() == before - 2);
  work(bench, 5);
  settle(bench);
  CHECK(bench.durable == bench.published);
}

TEST_CASE("sweep: any call of a start's recovery fails, the next start has everything", "[fault]") {
  const Call call = GENERATE(Call::open, Call::read, Call::write, Call::sync, Call::truncate,
                             Call::remove, Call::sync_directory, Call::list);
  const int error = GENERATE(EIO, ENOSPC);
  // The ring lives in both; the one leaves the last sync to whoever writes next.
  const auto mode = GENERATE(log::RecoverMode::repair, log::RecoverMode::adopt);
  CAPTURE(static_cast<int>(call), error, static_cast<int>(mode));
  int refused = 0;
  for (int k = 1; k < 200; ++k) {
    CAPTURE(k);
    Bench bench(static_cast<std::uint64_t>(k));
    work(bench, kRounds / 2);
    // Dies in the middle of a write, while a new segment is being made as well.
    bench.publish(kARound);
    bench.now += std::chrono::milliseconds(6);
    bench.duty->round(bench.now, [](std::uint64_t, bool) {});
    bench.duty.reset();
    bench.disk.kill();
    const std::string directory = bench.topic->directory(0).string();
    bench.disk.fail(call, k, error);
    std::optional<log::Recovered> recovered;
    try {
      recovered = log::recover(bench.disk, directory, mode);
    } catch (const Error& told) {
      CHECK_THAT(told.what(), Catch::Contains(std::generic_category().message(error)));
      ++refused;
    }
    const bool hit = bench.disk.failures() > 0;
    bench.disk.heal();
    // A start that failed leaves the topic out of service; the next one tries again.
    if (!recovered) recovered = log::recover(bench.disk, directory, mode);
    CHECK(recovered->damaged.empty());
    CHECK(recovered->end.offset >= bench.durable);
    bench.topic->log_start(0) = recovered->go_on();
    bench.start_duty();
    work(bench, 5);
    settle(bench);
    CHECK(bench.durable == bench.published);
    bench.check_log_holds_everything();
    if (!hit) break;
  }
  // What this recovery calls, it may be refused; what it does not call hinders nothing.
  const bool called = call == Call::open || call == Call::read || call == Call::list;
  CHECK((refused > 0 || !called));
}

TEST_CASE("sweep: any call fails while a damaged segment is set aside: its offsets stay unused",
          "[fault]") {
  const Call call = GENERATE(Call::open, Call::read, Call::write, Call::sync, Call::reserve,
                             Call::truncate, Call::rename, Call::remove, Call::sync_directory,
                             Call::list, Call::batch_write, Call::batch_sync);
  const int error = GENERATE(EIO, ENOSPC);
  const bool lasting = GENERATE(false, true);
  const bool loses_power = GENERATE(false, true);
  int refused = 0;
  for (int k = 1;; ++k) {
    CAPTURE(static_cast<int>(call), k, error, lasting, loses_power);
    DamagedLog bench(static_cast<std::uint64_t>(k));
    bench.disk.fail(call, k, error, lasting);
    std::uint64_t promised = 0;
    try {
      bench.start();
      bench.publish();
      promised = bench.driver->durable().offset;
      CHECK((promised == bench.source.tail().offset || lasting));
    } catch (const Error& told) {
      CHECK_THAT(told.what(), Catch::Contains(std::generic_category().message(error)));
      ++refused;
    }
    const bool hit = bench.disk.failures() > 0;
    bench.die(loses_power);

    const log::Recovered found = bench.start();
    CHECK(found.end.offset >= promised);
    CHECK(found.floor.offset >= bench.used);
    bench.publish();
    CHECK(bench.driver->durable() == bench.source.tail());
    bench.die(true);
    CHECK(log::recover(bench.disk, test::kDirectory, log::RecoverMode::inspect).end ==
          bench.source.tail());
    CHECK(log::verify_log(bench.disk, test::kDirectory).records == bench.source.records.size());
    CHECK(bench.keeps_evidence());
    if (!hit) break;
  }
  // Only the start makes the rename that sets the segment aside, and it makes no other.
  CHECK((refused > 0 || call != Call::rename));
}

}  // namespace fault_sweep_test
