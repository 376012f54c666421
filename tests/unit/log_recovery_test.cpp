// What a start makes of the files that it finds.

#include <catch2/catch.hpp>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "log/segment_format.hpp"
#include "log/segment_name.hpp"
#include "log/verify.hpp"
#include "unit/log_fixture.hpp"

namespace ringway::test::log_recovery_test {

TEST_CASE("recovery: an empty or missing directory is an empty log", "[log]") {
  ModelDisk disk(1);
  const log::Recovered recovered = log::recover(disk, kDirectory, log::RecoverMode::repair);
  CHECK(recovered.end == log::LogPoint{});
  CHECK(recovered.segments.empty());
}

TEST_CASE("recovery: what was being created is removed", "[log]") {
  LogBench bus;
  bus.disk.open(kPath + "/" + log::unborn_name(0), storage::OpenMode::create);
  bus.recover();
  CHECK_FALSE(bus.disk.exists(kPath + "/" + log::unborn_name(0)));
}

TEST_CASE("recovery: a read that the device refuses is no damage: everything stays as it is",
          "[log]") {
  LogBench bus;
  bus.add(150);
  bus.driver->drain();
  bus.driver.reset();
  const std::vector<std::string> names = bus.names();
  REQUIRE(names.size() >= 2);
  const auto mode = GENERATE(log::RecoverMode::repair, log::RecoverMode::adopt);
  bus.disk.fail(Call::read, 1, EIO, true);
  CHECK_THROWS_WITH(log::recover(bus.disk, kDirectory, mode),
                    Catch::Contains(std::generic_category().message(EIO)));
  CHECK(bus.names() == names);
  bus.disk.heal();
  const log::Recovered recovered = log::recover(bus.disk, kDirectory, mode);
  CHECK(recovered.damaged.empty());
  CHECK(recovered.segments.size() == names.size());
  CHECK(recovered.end == bus.source.tail());
}

TEST_CASE("recovery: a torn tail is cut at the last verified slot, and kept aside where that fits",
          "[log]") {
  LogBench bus;
  bus.add(10);
  bus.driver->drain();
  const log::LogPoint durable = bus.driver->log().durable();
  bus.add(80);
  bus.driver->note_up_to(bus.source.tail());
  REQUIRE(bus.driver->submit() == 0);
  bus.driver->reap_one();
  const auto info = bus.driver->log().segments().back();
  const std::string path = kPath + "/" + info.name;
  {
    log::SegmentReader reader(bus.disk, {bus.disk, bus.disk.open(path, storage::OpenMode::read)});
    const log::Geometry geometry(reader.header());
    bus.disk.bytes(path).at(geometry.file_pos(durable.position) + 100) ^= std::byte{1};
  }
  bus.driver.reset();
  const int error = GENERATE(0, ENOSPC, EDQUOT);
  CAPTURE(error);
  if (error != 0) bus.disk.fail(Call::write, 1, error);
  const log::Recovered recovered = bus.recover();
  CHECK(recovered.end == durable);
  REQUIRE(recovered.torn);
  CHECK(recovered.torn->position == durable.position);
  if (error == 0) {
    CHECK(bus.disk.exists(kPath + "/" + recovered.torn->name));
  } else {
    CHECK(bus.disk.failures() == 1);
    CHECK(recovered.torn->name.empty());
    CHECK(bus.names() == std::vector{info.name});
  }
  CHECK_FALSE(bus.recover().torn);  // once
  bus.begin(bus.recover().go_on());
  bus.driver->drain();
  CHECK(log::verify_log(bus.disk, kDirectory).records == 90);
}

TEST_CASE("recovery: what an adopted ring's log holds is durable before anything follows it",
          "[log]") {
  LogBench bus;
  bus.add(10);
  bus.driver->drain();
  const log::LogPoint durable = bus.driver->log().durable();
  bus.add(20);
  bus.driver->note_up_to(bus.source.tail());
  REQUIRE(bus.driver->submit() == 0);
  bus.driver->reap_one();
  const log::LogPoint written = bus.driver->log().written();
  bus.driver.reset();
  bus.disk.kill();
  const log::LogIdentity identity = LogDriver::identity();
  const log::Recovered found = log::recover(bus.disk, kPath, log::RecoverMode::adopt, &identity);
  CHECK(found.end == written);
  CHECK(found.durable == durable);
  bus.begin(found.go_on());
  CHECK_FALSE(bus.driver->log().settled());
  bus.add(5);
  bus.driver->note_up_to(bus.source.tail());
  CHECK_FALSE(bus.driver->log().can_submit());
  SECTION("when the device works") {
    bus.driver->sync();
    bus.driver->settle();
    CHECK(bus.driver->log().durable() == written);
    bus.driver.reset();
    bus.disk.power_cut();
    CHECK(bus.recover().end == written);
  }
  SECTION("when it refuses: the ring has it, and it goes into a new segment") {
    bus.disk.fail(Call::batch_sync, 1, EIO);
    bus.driver->sync();
    bus.driver->settle();
    CHECK(bus.driver->log().durable() == durable);
    bus.disk.heal();
    bus.driver->drain();
    CHECK(bus.driver->log().durable() == bus.source.tail());
    bus.driver.reset();
    bus.disk.power_cut();
    CHECK(log::verify_log(bus.disk, kDirectory).records == 35);
  }
  SECTION("when it is cut off before") {
    bus.driver.reset();
    bus.disk.power_cut();
    CHECK(bus.recover().end == durable);
  }
}

TEST_CASE("recovery: what only the log has stays there when a sync of it fails", "[log]") {
  const bool moved = GENERATE(false, true);  // a ring that follows an orderly stop
  LogBench bus;
  bus.add(10);
  bus.driver->drain();
  const log::LogPoint durable = bus.driver->log().durable();
  bus.add(20);
  bus.driver->note_up_to(bus.source.tail());
  REQUIRE(bus.driver->submit() == 0);
  bus.driver->reap_one();
  bus.driver.reset();
  bus.disk.kill();
  const log::LogIdentity identity = LogDriver::identity();
  const log::Recovered found = log::recover(bus.disk, kPath, log::RecoverMode::adopt, &identity);
  REQUIRE(found.durable == durable);
  log::LogPoint at = found.end;
  if (moved) at.position = log::page_ceil(at.position);
  bus.source.begin_again(at, found.end);
  bus.begin(found.jump(at));
  bus.disk.fail(Call::batch_sync, 1, EIO);
  bus.add(5);
  bus.driver->drain();
  CHECK(bus.driver->log().predecessor_durable() == durable);
  bus.driver.reset();
  bus.disk.kill();
  const auto report = log::verify_log(bus.disk, kDirectory);
  CHECK(report.clean());
  CHECK(report.records == 35);
}

TEST_CASE("recovery: without its newest slot the log ends at the one before", "[log]") {
  LogBench bus;
  bus.add(3);
  bus.driver->drain();
  const log::LogPoint before = bus.driver->log().durable();
  bus.add(3);
  bus.driver->drain();
  const std::string path = kPath + "/" + bus.driver->log().segments().back().name;
  {
    log::SegmentReader reader(bus.disk, {bus.disk, bus.disk.open(path, storage::OpenMode::read)});
    const log::Geometry geometry(reader.header());
    bus.disk.bytes(path).at(geometry.slot_file_pos(1) + 5000) ^= std::byte{1};
  }
  bus.driver.reset();
  CHECK(bus.recover().end == before);
}

TEST_CASE("recovery: a segment with an unreadable header is left, and no offset is reused",
          "[log]") {
  LogBench bus;
  bus.add(150);
  bus.driver->drain();
  const auto segments = bus.driver->log().segments();
  REQUIRE(segments.size() >= 2);
  const auto& last = segments.back();
  bus.disk.bytes(kPath + "/" + last.name).at(30) ^= std::byte{1};
  bus.driver.reset();
  const log::Recovered recovered = bus.recover();
  REQUIRE(recovered.damaged.size() == 1);
  CHECK(recovered.damaged[0].rule == "the header does not verify");
  CHECK(recovered.end == segments[segments.size() - 2].end);
  CHECK(recovered.floor.offset > last.end.offset);
  CHECK(recovered.floor.position > last.end.position);
  CHECK(bus.disk.exists(kPath + "/" + recovered.damaged[0].name));
  CHECK_FALSE(bus.disk.exists(kPath + "/" + last.name));  // the name is needed

  bus.source.begin_again({log::page_ceil(recovered.floor.position), recovered.floor.offset},
                         recovered.end);
  bus.begin(bus.recover().jump(bus.source.tail()));
  bus.add(5);
  bus.driver->drain();
  CHECK(log::verify_log(bus.disk, kDirectory).records == recovered.end.offset + 5);
}

TEST_CASE(
    "recovery: a segment of a later version stays where it is, and nothing is begun behind it",
    "[log]") {
  const bool by_version = GENERATE(true, false);
  LogBench bus;
  bus.add(150);
  bus.driver->drain();
  const std::string last = bus.driver->log().segments().back().name;
  bus.driver.reset();
  std::vector<std::byte>& bytes = bus.disk.bytes(kPath + "/" + last);
  log::SegmentHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (by_version) {
    header.version = log::kSegmentVersion + 1;
  } else {
    header.incompatible_flags = 1;
  }
  header.checksum = log::checksum_of(header, 0);
  std::memcpy(bytes.data(), &header, sizeof header);
  const std::vector<std::string> names = bus.names();
  for (const auto mode : {log::RecoverMode::repair, log::RecoverMode::adopt}) {
    try {
      log::recover(bus.disk, kPath, mode);
      FAIL("it was not refused");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::incompatible);
      CHECK(error.thing() == kPath + "/" + last);
    }
    CHECK(bus.names() == names);
  }
  // Whoever only looks is told.
  const log::Recovered seen = log::recover(bus.disk, kPath, log::RecoverMode::inspect);
  REQUIRE(seen.damaged.size() == 1);
  CHECK(seen.damaged[0].name == last);
}

TEST_CASE("recovery: a header that does not verify is of no later version, whatever it says",
          "[log]") {
  LogBench bus;
  bus.add(150);
  bus.driver->drain();
  const std::string last = bus.driver->log().segments().back().name;
  bus.driver.reset();
  for (std::size_t at = 8; at < 4096; at += 3) {
    bus.disk.bytes(kPath + "/" + last)[at] = std::byte{0x5a};
  }
  const log::Recovered found = bus.recover();
  REQUIRE(found.damaged.size() == 1);
  CHECK(found.damaged[0].code == ErrorCode::failed);
  CHECK(found.damaged[0].name != last);  // the log goes on
}

TEST_CASE("recovery: who set a damaged segment aside and died left its offsets unused", "[log]") {
  LogBench bus;
  bus.add(150);
  bus.driver->drain();
  const std::string last = bus.driver->log().segments().back().name;
  bus.disk.bytes(kPath + "/" + last).at(30) ^= std::byte{1};
  bus.driver.reset();
  const log::Recovered first = bus.recover();
  REQUIRE_FALSE(bus.disk.exists(kPath + "/" + last));
  const log::Recovered second = bus.recover();
  CHECK(second.damaged.empty());
  CHECK(second.end == first.end);
  CHECK(second.floor == first.floor);
}

TEST_CASE("recovery: a far name moves offsets behind it, but one that no log gets to", "[log]") {
  for (const std::uint64_t far : {(std::uint64_t{1} << 62) - 1, std::uint64_t{1} << 62,
                                  std::numeric_limits<std::uint64_t>::max() - (1 << 20)}) {
    CAPTURE(far);
    LogBench bus;
    bus.add(150);
    bus.driver->drain();
    bus.driver.reset();
    const std::string path = kPath + "/" + log::segment_name(far);
    const storage::File file(bus.disk, bus.disk.open(path, storage::OpenMode::create));
    REQUIRE(bus.disk.write(file.descriptor(), std::vector<std::byte>(10'000), 0) == 0);
    const log::Recovered found = bus.recover();
    REQUIRE(found.damaged.size() == 1);
    CHECK(found.end == bus.source.tail());
    if (far < std::uint64_t{1} << 62) {
      CHECK(found.floor.offset > far);
    } else {
      CHECK(found.floor == found.end);  // room behind it would end at 2^64
    }
  }
}

TEST_CASE("recovery: another topic's segment and a stranger's file are reported", "[log]") {
  LogBench bus;
  bus.add(5);
  bus.driver->drain();
  bus.disk.open(kPath + "/notes.txt", storage::OpenMode::create);
  log::LogIdentity other = LogDriver::identity();
  other.partition = 4;
  const auto recovered = log::recover(bus.disk, kDirectory, log::RecoverMode::inspect, &other);
  CHECK(recovered.segments.empty());
  REQUIRE(recovered.damaged.size() == 1);
  CHECK(recovered.damaged[0].rule == "belongs to another topic or partition");
  CHECK(recovered.foreign == std::vector<std::string>{"notes.txt"});
}

TEST_CASE("recovery: a missing segment in the middle is a named hole", "[log]") {
  LogBench bus;
  for (int i = 0; i < 4; ++i) {
    bus.add(120);
    bus.driver->drain();
  }
  const auto segments = bus.driver->log().segments();
  REQUIRE(segments.size() >= 3);
  REQUIRE(bus.disk.remove(kPath + "/" + segments[1].name) == 0);
  const auto report = log::verify_log(bus.disk, kDirectory);
  REQUIRE(report.holes.size() == 1);
  CHECK(report.holes[0].hole.from == segments[0].end);
  CHECK(report.holes[0].hole.to == segments[1].end);
}

TEST_CASE("recovery: a missing segment is named however little it held", "[log]") {
  LogBench bus;
  for (int start = 0; start < 3; ++start) {
    bus.add(2, 20);
    bus.driver->drain();
    bus.driver.reset();
    bus.begin(bus.recover().go_on());
  }
  auto segments = bus.driver->log().segments();
  REQUIRE(segments.size() == 3);
  bus.driver.reset();
  const std::string first = kPath + "/" + segments[0].name;
  REQUIRE(bus.disk.remove(kPath + "/" + segments[1].name) == 0);

  SECTION("its predecessor's slots say that it never went so far") {
    const auto report = log::verify_log(bus.disk, kDirectory);
    REQUIRE(report.holes.size() == 1);
    CHECK(report.holes[0].segment == segments[1].name);
    CHECK(report.holes[0].file_is_missing());
    CHECK(report.holes[0].hole.from == segments[0].end);
    CHECK(report.holes[0].hole.to == segments[1].end);
    const auto missing = report.recovered.missing();
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].from == segments[0].end);
    CHECK(missing[0].to == segments[1].end);
  }
  SECTION("where a slot is spoiled nobody knows that") {
    const log::SegmentReader reader(
        bus.disk, storage::File(bus.disk, bus.disk.open(first, storage::OpenMode::read)));
    const log::Geometry geometry(reader.header());
    const int file = bus.disk.open(first, storage::OpenMode::write);
    const std::byte wrong[1]{std::byte{0x5a}};
    REQUIRE(bus.disk.write(file, wrong, geometry.slot_file_pos(0) + 4100) >= 0);
    bus.disk.close(file);
    const auto report = log::verify_log(bus.disk, kDirectory);
    REQUIRE(report.holes.size() == 1);
    CHECK(report.holes[0].segment == segments[0].name);
    CHECK_FALSE(report.holes[0].file_is_missing());
    CHECK(report.recovered.missing().empty());
  }
}

TEST_CASE("recovery: an empty last segment is replaced by one of the same name", "[log]") {
  LogBench bus;
  bus.add(5);
  bus.disk.fail(Call::batch_write, 1, EIO);
  bus.driver->note_up_to(bus.source.tail());
  REQUIRE(bus.driver->submit() == 0);  // creates the file, writes nothing that counts
  bus.driver->settle();
  bus.driver.reset();
  const auto recovered = bus.recover();
  bus.begin(recovered.go_on());
  bus.driver->drain();
  CHECK(bus.driver->log().segments().size() == 1);
  CHECK(log::verify_log(bus.disk, kDirectory).records == 5);
}

}  // namespace ringway::test::log_recovery_test
