#include <catch2/catch.hpp>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "log/segment_format.hpp"
#include "log/segment_name.hpp"
#include "log/verify.hpp"
#include "support/log_driver.hpp"
#include "support/model_disk.hpp"

namespace ringway::test::log_partition_test {
namespace {

const std::string kPath = kDirectory;

log::LogSettings small_settings() {
  log::LogSettings settings;
  settings.segment_bytes = 32 * 1024;
  settings.block_bytes = 4096;
  settings.record_bytes_max = 4096;
  return settings;
}

const log::LogStart kFresh{{}, {}, log::kNoTime, {}};

struct Bus {
  explicit Bus(std::uint64_t seed = 1) : disk(seed), source(64 * 1024, {}) { begin(kFresh); }
  void begin(const log::LogStart& start) {
    driver.emplace(disk, disk, source, small_settings(), start);
  }
  void add(int count, std::size_t bytes = 200) {
    for (int i = 0; i < count; ++i) source.add(std::string(bytes, 'r'), 10 + i);
  }
  log::Recovered recover() { return log::recover(disk, kDirectory, log::RecoverMode::repair); }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    REQUIRE(disk.list(kPath, all) == 0);
    return all;
  }
  ModelDisk disk;
  RecordSource source;
  std::optional<LogDriver> driver;
};

}  // namespace

TEST_CASE("log: nothing touches the disk before the first batch", "[log]") {
  Bus bus;
  CHECK(bus.recover().segments.empty());
  CHECK(bus.driver->log().segments().empty());
  CHECK(bus.driver->log().bytes() == 0);
}

TEST_CASE("log: a first segment waits until its directory is durable, whoever made that", "[log]") {
  Bus bus;
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
    Bus bus(static_cast<std::uint64_t>(nth));
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
  Bus bus;
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
  Bus bus;
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
log::LogPoint fail_sync(Bus& bus, int durable) {
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
  Bus bus;
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
  Bus bus;
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
  Bus bus;
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

TEST_CASE("log: a parked partition opens its file with the next batch", "[log]") {
  Bus bus;
  bus.add(5);
  bus.driver->drain();
  bus.driver->log().park();
  bus.add(5);
  bus.driver->drain();
  CHECK(bus.driver->log().segments().size() == 1);
  CHECK(log::verify_log(bus.disk, kDirectory).records == 10);
}

TEST_CASE("recovery: an empty or missing directory is an empty log", "[log]") {
  ModelDisk disk(1);
  const log::Recovered recovered = log::recover(disk, kDirectory, log::RecoverMode::repair);
  CHECK(recovered.end == log::LogPoint{});
  CHECK(recovered.segments.empty());
}

TEST_CASE("recovery: what was being created is removed", "[log]") {
  Bus bus;
  bus.disk.open(kPath + "/" + log::unborn_name(0), storage::OpenMode::create);
  bus.recover();
  CHECK_FALSE(bus.disk.exists(kPath + "/" + log::unborn_name(0)));
}

TEST_CASE("recovery: a read that the device refuses is no damage: everything stays as it is",
          "[log]") {
  Bus bus;
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
  Bus bus;
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
  Bus bus;
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
  Bus bus;
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
  Bus bus;
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
  Bus bus;
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
  Bus bus;
  bus.add(150);
  bus.driver->drain();
  const std::string last = bus.driver->log().segments().back().name;
  bus.driver.reset();
  std::vector<std::byte>& bytes = bus.disk.bytes(kPath + "/" + last);
  log::SegmentHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.version = log::kSegmentVersion + 1;
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

TEST_CASE("recovery: who set a damaged segment aside and died left its offsets unused", "[log]") {
  Bus bus;
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

TEST_CASE("recovery: another topic's segment and a stranger's file are reported", "[log]") {
  Bus bus;
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
  Bus bus;
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

TEST_CASE("recovery: an empty last segment is replaced by one of the same name", "[log]") {
  Bus bus;
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

}  // namespace ringway::test::log_partition_test
