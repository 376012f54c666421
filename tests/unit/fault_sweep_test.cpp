// ENOSPC and EIO at each file call of a partition in turn: the k-th of each kind, once and until
// further notice, for k = 1, 2, ... until the scenario makes no k-th one any more.

#include <catch2/catch.hpp>

#include "ringway/error.hpp"
#include "unit/duty_fixture.hpp"

namespace fault_sweep_test {

using namespace ringway;
using layout::Hold;
using test::Call;
using test::DutyBench;

namespace {

constexpr int kRounds = 45;  // three segments
constexpr int kARound = 60;  // records, about 15 KiB

/// Which k are tried: all of the first, then fewer; with RINGWAY_TEST_LONG all.
int next(int k) {
  static const bool all = std::getenv("RINGWAY_TEST_LONG") != nullptr;
  return all || k < 8 ? k + 1 : k + 13;
}

bool says(const DutyBench& bench, std::string_view event) {
  return std::ranges::any_of(
      bench.lines, [&](const std::string& line) { return line.find(event) != std::string::npos; });
}

void work(DutyBench& bench, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    bench.publish(kARound);
    bench.round();
  }
}

void settle(DutyBench& bench) {
  for (int i = 0; i < 300 && bench.durable < bench.published; ++i) bench.round();
  // The device is tried again after 250 ms at the latest, and what it then takes is shown.
  for (int i = 0; i < 50; ++i) bench.round();
}

/// False when the scenario makes no k-th call.
bool one_fault_at(Call call, int k, int error, bool lasting) {
  CAPTURE(static_cast<int>(call), k, error, lasting);
  DutyBench bench(static_cast<std::uint64_t>(k));
  bench.disk.fail(call, k, error, lasting);
  work(bench, kRounds);
  const bool hit = bench.disk.failures() > 0;
  // Space that is not given back hinders nobody. Everything else shows.
  if (hit && lasting && call != Call::truncate) {
    work(bench, 20);
    CHECK(bench.hold() == (error == ENOSPC ? Hold::disk_full : Hold::disk_error));
    CHECK((says(bench, "log_write_refused") || says(bench, "log_write_failed")));
    // The ring is full: producers wait, and what it holds is kept.
    CHECK(bench.publish(1000) < 1000);
  }
  bench.disk.heal();
  settle(bench);
  CHECK(bench.hold() == Hold::none);
  CHECK(bench.durable == bench.published);
  const auto spoken = [&] {
    return says(bench, "log_write_refused") || says(bench, "log_write_failed");
  };
  CHECK(spoken() == says(bench, "log_healed"));
  bench.check_log_holds_everything();
  return hit;
}

}  // namespace

TEST_CASE("sweep: any file call of a partition fails once, and nothing is lost or taken back",
          "[fault]") {
  const Call call =
      GENERATE(Call::open, Call::write, Call::sync, Call::reserve, Call::truncate, Call::rename,
               Call::sync_directory, Call::batch_write, Call::batch_sync);
  const int error = GENERATE(EIO, ENOSPC);
  int k = 1;
  while (one_fault_at(call, k, error, false)) k = next(k);
  CHECK(k > 2);  // each kind is called more than once
}

TEST_CASE("sweep: any file call fails until further notice: it shows, holds back, and heals",
          "[fault]") {
  const Call call =
      GENERATE(Call::open, Call::write, Call::sync, Call::reserve, Call::truncate, Call::rename,
               Call::sync_directory, Call::batch_write, Call::batch_sync);
  const int error = GENERATE(EIO, ENOSPC);
  int k = 1;
  while (one_fault_at(call, k, error, true)) k = next(k);
  CHECK(k > 2);
}

TEST_CASE("sweep: a segment that cannot be removed is told, and goes the next time", "[fault]") {
  const int error = GENERATE(EIO, ENOSPC);
  DutyBench bench(1);
  work(bench, kRounds);
  settle(bench);
  const auto segments = [&] { return bench.topic->segments(0).snapshot(); };
  const std::size_t before = segments().size();
  REQUIRE(before >= 3);
  bench.disk.fail(Call::remove, 1, error, true);
  bench.duty->retire_segments(1);
  CHECK(says(bench, "segment_not_removed"));
  CHECK(segments().size() == before);
  CHECK(bench.hold() == Hold::none);
  bench.disk.heal();
  bench.duty->retire_segments(1);
  CHECK(segments().size() == before - 1);
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
    DutyBench bench(static_cast<std::uint64_t>(k));
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

}  // namespace fault_sweep_test
