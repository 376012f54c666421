#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "log/verify.hpp"
#include "unit/log_fixture.hpp"

namespace ringway::test::log_partition_test {

TEST_CASE("log: nothing touches the disk before the first batch", "[log]") {
  LogBench bus;
  CHECK(bus.recover().segments.empty());
  CHECK(bus.driver->log().segments().empty());
  CHECK(bus.driver->log().bytes() == 0);
}

TEST_CASE("log: a first segment waits until its directory is durable, whoever made that", "[log]") {
  LogBench bus;
  bus.disk.fail(Call::make_directories, 1, EIO, true);
  bus.add(5);
  bus.driver->note_up_to(bus.source.tail());
  CHECK(bus.driver->submit() == -EIO);
  CHECK(bus.names().empty());
  bus.disk.heal();
  bus.driver->drain();
  CHECK(bus.driver->log().durable() == bus.source.tail());
}

TEST_CASE("log: any one failing call delays, and loses or doubles nothing", "[log]") {
  const Call call =
      GENERATE(Call::open, Call::write, Call::sync, Call::reserve, Call::truncate, Call::rename,
               Call::remove, Call::sync_directory, Call::batch_write, Call::batch_sync);
  const int error = GENERATE(EIO, ENOSPC);
  for (int nth = 1; nth < 12; ++nth) {
    CAPTURE(static_cast<int>(call), error, nth);
    LogBench bus(static_cast<std::uint64_t>(nth));
    bus.disk.fail(call, nth, error);
    for (int round = 0; round < 10; ++round) {
      bus.add(20);
      bus.driver->drain();
      REQUIRE(bus.driver->log().durable() == bus.source.tail());
    }
    bus.disk.heal();
    const auto report = log::verify_log(bus.disk, kDirectory);
    CHECK(report.clean());
    CHECK(report.records == 200);
  }
}

TEST_CASE("log: a full disk is a status, and the log goes on when there is room", "[log]") {
  LogBench bus;
  bus.add(20);
  bus.driver->drain();
  bus.disk.capacity = 0;
  int result = 0;
  while (result == 0 && bus.source.room(200, bus.driver->log().durable().position)) {
    bus.add(1);
    bus.driver->note_up_to(bus.source.tail());
    result = bus.driver->submit();
    bus.driver->settle();
    bus.driver->sync();
    bus.driver->settle();
  }
  CHECK(bus.driver->last_error() == -ENOSPC);
  CHECK(bus.driver->log().error() == 0);
  bus.disk.capacity = ~std::uint64_t{0};
  bus.driver->drain();
  CHECK(bus.driver->log().durable() == bus.source.tail());
  CHECK(log::verify_log(bus.disk, kDirectory).records == bus.source.tail().offset);
}

TEST_CASE("log: after a failed sync a new segment begins at the durable end", "[log]") {
  LogBench bus;
  bus.add(10);
  bus.driver->drain();
  const log::LogPoint durable = bus.driver->log().durable();
  bus.add(10);
  bus.disk.fail(Call::batch_sync, 1, EIO);
  bus.driver->drain();
  const auto segments = bus.driver->log().segments();
  REQUIRE(segments.size() == 2);
  CHECK(segments[0].end == durable);
  CHECK(segments[1].first == durable);
  CHECK(bus.recover().end == bus.source.tail());
}

namespace {

/// So many records are durable, forty more are written and their sync failed. Returns the middle of
/// those.
log::LogPoint fail_sync(LogBench& bus, int durable) {
  bus.add(durable);
  bus.driver->drain();
  bus.add(20);
  const log::LogPoint middle = bus.source.tail();
  bus.add(20);
  bus.driver->note_up_to(bus.source.tail());
  REQUIRE(bus.driver->submit() == 0);
  bus.driver->settle();
  bus.disk.fail(Call::batch_sync, 1, EIO);
  bus.driver->sync();
  bus.driver->settle();
  REQUIRE(bus.driver->log().noted().offset == static_cast<std::uint64_t>(durable));
  return middle;
}

}  // namespace

TEST_CASE("log: what was written before a failed sync stays until all of it is written again",
          "[log]") {
  const int durable = GENERATE(0, 10);  // of none, the successor has the same name
  const auto step = GENERATE(range(0, 6));
  CAPTURE(durable, step);
  LogBench bus;
  const log::LogPoint middle = fail_sync(bus, durable);
  const log::LogPoint written = bus.source.tail();
  const auto go_on = [&](log::LogPoint to) {
    bus.driver->note_up_to(to);
    static_cast<void>(bus.driver->submit());
    bus.driver->settle();
  };
  const auto sync = [&] {
    bus.driver->sync();
    bus.driver->settle();
  };
  if (step == 1) bus.disk.fail(Call::batch_write, 1, EIO);
  if (step >= 1) go_on(middle);
  // Nothing of it is told to be durable, or the ring would give it back.
  sync();
  CHECK(bus.driver->log().durable().offset == static_cast<std::uint64_t>(durable));
  bus.add(10);
  if (step >= 2) go_on(bus.source.tail());
  CHECK(bus.driver->log().written().offset == static_cast<std::uint64_t>(durable));
  if (step == 3) bus.disk.fail(Call::rename, 1, EIO);
  if (step == 4) bus.disk.fail(Call::sync_directory, 1, EIO);
  if (step >= 3) sync();
  const bool counts = step == 5;
  CHECK(bus.driver->log().durable().offset ==
        static_cast<std::uint64_t>(counts ? durable + 50 : durable));
  bus.driver.reset();
  bus.disk.kill();
  const log::LogPoint end = bus.recover().end;
  CHECK(end == (step >= 4 ? bus.source.tail() : written));
  const auto report = log::verify_log(bus.disk, kDirectory);
  CHECK(report.clean());
  CHECK(report.records == end.offset);
}

TEST_CASE("log: where it goes on behind a gap, what was written in front of it is kept", "[log]") {
  const int durable = GENERATE(0, 10);
  const auto step = GENERATE(range(0, 3));
  CAPTURE(durable, step);
  LogBench bus;
  const log::LogPoint middle = fail_sync(bus, durable);
  log::PartitionLog& log = bus.driver->log();
  const log::LogPoint written = bus.source.tail();
  if (step == 1) bus.disk.fail(Call::batch_write, 1, EIO);
  if (step >= 1) {
    bus.driver->note_up_to(middle);
    REQUIRE(bus.driver->submit() == 0);
    bus.driver->settle();
  }
  CHECK(log.kept_by_skip() == written);
  bus.add(20);
  const log::LogPoint at = bus.source.tail();
  CHECK(log.skip_to(at));
  CHECK(log.kept_by_skip() == at);
  CHECK(log.predecessor_durable().offset == static_cast<std::uint64_t>(durable));
  for (const std::string& name : bus.names()) CHECK_FALSE(name.ends_with(".new"));
  bus.add(10);
  bus.driver->drain();
  bus.driver.reset();
  bus.disk.kill();
  const auto report = log::verify_log(bus.disk, kDirectory);
  CHECK(report.clean());
  CHECK(report.records == static_cast<std::uint64_t>(durable) + 50);
  const auto segments = bus.recover().segments;
  CHECK(segments.back().predecessor_end == written);
  CHECK(segments.back().predecessor_durable.offset == static_cast<std::uint64_t>(durable));
}

TEST_CASE("log: a full segment takes no record until it is durable as a whole", "[log]") {
  LogBench bus;
  bus.add(150);
  bus.driver->note_up_to(bus.source.tail());
  CHECK(bus.driver->log().full());
  CHECK(bus.driver->log().noted().position < bus.source.tail().position);
  REQUIRE(bus.driver->submit() == 0);
  bus.driver->settle();
  CHECK_FALSE(bus.driver->log().note(bus.source.header_at(bus.driver->log().noted().position)));
  bus.driver->sync();
  bus.driver->settle();
  CHECK(bus.driver->log().note(bus.source.header_at(bus.driver->log().noted().position)));
  CHECK_FALSE(bus.driver->log().full());
}

TEST_CASE("log: a directory in the place of a segment keeps none of the others", "[log]") {
  LogBench bench;
  log::PartitionLog& log = bench.driver->log();
  while (log.segment_count() < 4) {
    bench.add(20);
    bench.driver->drain();
  }
  const std::string third = log.segments()[2].name;
  bench.disk.fail(Call::remove, 1, EISDIR);
  CHECK(log.retire(2, false) == 0);
  CHECK(log.segments().front().name == third);
  CHECK(log.segment_count() == 2);
}

TEST_CASE("log: a parked partition opens its file with the next batch", "[log]") {
  LogBench bus;
  bus.add(5);
  bus.driver->drain();
  bus.driver->log().park();
  bus.add(5);
  bus.driver->drain();
  CHECK(bus.driver->log().segments().size() == 1);
  CHECK(log::verify_log(bus.disk, kDirectory).records == 10);
}

}  // namespace ringway::test::log_partition_test
