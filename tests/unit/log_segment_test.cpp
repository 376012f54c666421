#include <catch2/catch.hpp>
#include <cstring>

#include "log/segment_name.hpp"
#include "log/verify.hpp"
#include "ringway/error.hpp"
#include "support/log_driver.hpp"
#include "support/model_disk.hpp"

namespace ringway::test::log_segment_test {
namespace {

constexpr std::uint64_t kBlock = 4096;

/// A log on a modelled disk with small blocks and segments.
struct SmallLog {
  explicit SmallLog(std::uint64_t segment_bytes = 16 * kBlock, log::LogPoint start = {},
                    std::uint64_t block_bytes = kBlock)
      : disk(1), source(64 * 1024, start) {
    settings.segment_bytes = segment_bytes;
    settings.block_bytes = block_bytes;
    settings.record_bytes_max = 16 * 1024;
    driver.emplace(disk, disk, source, settings, log::LogStart{start, {}, log::kNoTime, {}});
  }
  /// `count` records of the size, each durable before the ring could need its place.
  void add(int count, std::uint64_t bytes, std::int64_t time = 100) {
    for (int i = 0; i < count; ++i) {
      if (!source.room(bytes, driver->log().durable().position)) driver->drain();
      source.add(std::string(bytes, static_cast<char>('a' + i % 26)), time + i);
    }
    driver->drain();
    driver->confirm();
  }
  std::string path(std::size_t segment) {
    return std::string(kDirectory) + "/" + driver->log().segments().at(segment).name;
  }
  storage::File open(std::size_t segment) {
    return {disk, disk.open(path(segment), storage::OpenMode::read)};
  }
  log::LogReport verify() { return log::verify_log(disk, kDirectory); }
  /// Flips a bit of the segment where this log position lies.
  void flip(std::size_t segment, std::uint64_t position) {
    const log::SegmentReader reader(disk, open(segment));
    const log::Geometry geometry(reader.header());
    disk.bytes(path(segment)).at(geometry.file_pos(position)) ^= std::byte{1};
  }

  ModelDisk disk;
  RecordSource source;
  log::LogSettings settings;
  std::optional<LogDriver> driver;
};

}  // namespace

TEST_CASE("segment: one that waits for its first record is small", "[log]") {
  // It holds neither a page of its header nor one of records, nor a checksum under way.
  CHECK(sizeof(log::SegmentWriter) <= 1024);
  CHECK(sizeof(log::CompactHeader) <= 256);
}

TEST_CASE("segment: a header kept without its reserved bytes is the same in the file", "[log]") {
  log::SegmentHeader header{};
  std::memset(static_cast<void*>(&header), 0x5a, offsetof(log::SegmentHeader, reserved));
  header.checksum = log::checksum_of(header, 0);
  const log::SegmentHeader whole = log::CompactHeader(header).whole();
  CHECK(std::memcmp(&whole, &header, sizeof header) == 0);
}

TEST_CASE("segment name: what is made is read back, and nothing else", "[log]") {
  using Kind = log::SegmentName::Kind;
  CHECK(log::segment_name(42) == "00000000000000000042.log");
  CHECK(log::parse_segment_name(log::segment_name(~0ull))->base_offset == ~0ull);
  CHECK(log::parse_segment_name(log::unborn_name(7))->kind == Kind::unborn);
  CHECK(log::parse_segment_name(log::torn_name(7, 9))->kind == Kind::torn);
  CHECK(log::parse_segment_name(log::damaged_name(7, 1))->kind == Kind::damaged);
  for (const char* name : {"", "7.log", "99999999999999999999.log", "00000000000000000042.log.old",
                           "0000000000000000004x.log", "00000000000000000042.log.torn-"}) {
    CHECK_FALSE(log::parse_segment_name(name));
  }
}

TEST_CASE("segment: records come back as they were, also where the ring wrapped", "[log]") {
  SmallLog small;
  small.add(2000, 100);
  auto expected = small.source.records.begin();
  const auto report = log::verify_log(small.disk, kDirectory, [&](const log::Record& record) {
    CHECK(record.at == expected->second.at);
    CHECK(record.body.size() == expected->second.value.size());
    ++expected;
    return true;
  });
  CHECK(report.clean());
  CHECK(report.records == 2000);
  CHECK(report.segments > 1);
}

TEST_CASE("segment: what is done to the ring behind a batch changes nothing that it made durable",
          "[log]") {
  SmallLog small;
  small.add(3, 500);
  small.source.scribble(0, small.source.tail().position);
  small.add(50, 500);
  std::size_t whole = 0;
  const auto report = log::verify_log(small.disk, kDirectory, [&](const log::Record& record) {
    const std::string& value = small.source.records.at(record.at.offset).value;
    whole += std::memcmp(record.body.data(), value.data(), value.size()) == 0 ? 1 : 0;
    return true;
  });
  CHECK(report.clean());
  CHECK(whole == 53);
}

TEST_CASE("segment: a record that spans many blocks is read whole", "[log]") {
  SmallLog small;
  small.add(1, 50);
  small.add(3, 15'000);
  small.add(1, 50);
  const auto report = small.verify();
  CHECK(report.clean());
  CHECK(report.records == 5);
}

TEST_CASE("segment: no record straddles two, and each begins in its predecessor's last page",
          "[log]") {
  SmallLog small;
  small.add(100, 1000);
  const auto segments = small.driver->log().segments();
  REQUIRE(segments.size() > 1);
  for (std::size_t i = 1; i < segments.size(); ++i) {
    CHECK(segments[i].first == segments[i - 1].end);
    CHECK(segments[i].predecessor_end == segments[i - 1].end);
    CHECK(segments[i].base_position == log::page_floor(segments[i - 1].end.position));
  }
}

TEST_CASE("segment: the data is an image of the stream", "[log]") {
  SmallLog small(16 * kBlock, {8192, 5});
  small.add(10, 1000);
  const log::SegmentReader reader(small.disk, small.open(0));
  const log::Geometry geometry(reader.header());
  const auto& bytes = small.disk.bytes(small.path(0));
  const auto span = small.source.stream().spans(8192, 8192 + 8192)[0];
  CHECK(std::equal(span.begin(), span.end(),
                   bytes.begin() + static_cast<std::ptrdiff_t>(geometry.file_pos(8192))));
}

TEST_CASE("segment: a largest record fits whatever the segment setting", "[log]") {
  SmallLog small(kBlock);
  small.add(5, 15'000);
  CHECK(small.verify().records == 5);
  CHECK(small.driver->log().segments().size() == 5);
}

TEST_CASE("segment: a header with any bit flipped is refused", "[log]") {
  SmallLog small;
  small.add(1, 10);
  for (std::size_t byte = 0; byte < log::kPageBytes; byte += 37) {
    small.disk.bytes(small.path(0)).at(byte) ^= std::byte{4};
    CHECK_THROWS_AS(log::SegmentReader(small.disk, small.open(0)), Error);
    small.disk.bytes(small.path(0)).at(byte) ^= std::byte{4};
  }
  CHECK_NOTHROW(log::SegmentReader(small.disk, small.open(0)));
}

TEST_CASE("segment: a flipped bit below the durable end is a hole of one block", "[log]") {
  SmallLog small(64 * kBlock);
  small.add(100, 200);
  const std::uint64_t position = GENERATE(100u, 5000u, 12345u);
  small.flip(0, position);
  const auto report = small.verify();
  REQUIRE(report.holes.size() == 1);
  const log::Hole hole = report.holes[0].hole;
  CHECK(hole.from.position <= position);
  CHECK(hole.to.position > position);
  CHECK(hole.to.position - hole.from.position <= kBlock + 2 * 256);
  CHECK(report.records + (hole.to.offset - hole.from.offset) == 100);
  CHECK(small.source.records.at(hole.to.offset).at == hole.to);
}

TEST_CASE("segment: the hole that covers an offset is found, and none beside it", "[log]") {
  SmallLog small(64 * kBlock);
  small.add(100, 200);
  const std::string path = small.path(0);
  const auto hole_at = [&](std::uint64_t offset) {
    return log::hole_at(small.disk, path, offset, std::nullopt);
  };
  CHECK_FALSE(hole_at(0));
  CHECK_FALSE(hole_at(50));
  CHECK_FALSE(hole_at(1000));
  small.flip(0, small.source.records.at(50).at.position + 40);
  const auto hole = hole_at(50);
  REQUIRE(hole);
  CHECK(hole->from.offset <= 50);
  CHECK(hole->to.offset > 50);
  CHECK_FALSE(hole_at(hole->from.offset - 1));
  CHECK_FALSE(hole_at(hole->to.offset));
  CHECK_THROWS_AS(log::hole_at(small.disk, path + "x", 0, std::nullopt), Error);
}

TEST_CASE("segment: a lost table entry is a hole, its neighbours stand", "[log]") {
  SmallLog small(64 * kBlock);
  small.add(100, 200);
  const log::SegmentReader reader(small.disk, small.open(0));
  const log::Geometry geometry(reader.header());
  small.disk.bytes(small.path(0)).at(geometry.entry_file_pos(2) + 20) ^= std::byte{1};
  const auto report = small.verify();
  REQUIRE(report.holes.size() == 1);
  CHECK(report.holes[0].hole.from.position >= geometry.block_start(2) - 256);
  CHECK(report.holes[0].hole.to.position < geometry.block_end(2) + 256);
}

TEST_CASE("segment: a time that a lost table entry may have is looked for in front of its block",
          "[log]") {
  SmallLog small(64 * kBlock);
  small.add(100, 200, 1000);
  const log::SegmentReader whole(small.disk, small.open(0));
  const log::Geometry geometry(whole.header());
  const std::uint64_t lost = GENERATE(0u, 2u, 3u);
  for (const std::uint64_t entry : {lost, lost + 1}) {
    small.disk.bytes(small.path(0)).at(geometry.entry_file_pos(entry) + 20) ^= std::byte{1};
  }
  const log::SegmentReader reader(small.disk, small.open(0));
  for (const auto& [offset, kept] : small.source.records) {
    const log::LogPoint found = reader.find_time(kept.time);
    CAPTURE(offset);
    CHECK(found.offset <= offset);
    if (kept.at.position >= geometry.block_end(lost + 2)) {
      CHECK(found == whole.find_time(kept.time));  // not farther back than it takes
    }
  }
}

TEST_CASE("segment: blocks of a recycled file's former life never verify", "[log]") {
  SmallLog small(8 * kBlock);
  small.add(400, 200);
  const auto before = small.driver->log().segments();
  REQUIRE(before.size() > 3);
  REQUIRE(small.driver->log().retire(2, true) == 0);
  CHECK_FALSE(small.disk.exists(std::string(kDirectory) + "/" + before[0].name));
  CHECK(small.disk.exists(std::string(kDirectory) + "/" + before[1].name));
  const std::uint64_t first = before[2].first.offset;
  while (small.driver->log().segments().back().first == before.back().first) small.add(1, 200);
  CHECK_FALSE(small.disk.exists(std::string(kDirectory) + "/" + before[1].name));
  const auto report = small.verify();
  CHECK(report.clean());
  CHECK(report.records == small.source.tail().offset - first);
}

TEST_CASE("segment: a new header over blocks of the same positions makes none of them verify",
          "[log]") {
  SmallLog small(8 * kBlock);
  small.add(40, 200);
  auto& bytes = small.disk.bytes(small.path(0));
  log::SegmentHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  REQUIRE(log::SegmentReader(small.disk, small.open(0)).entries().size() > 1);
  header.segment_id ^= 1;
  header.checksum = log::checksum_of(header, 0);
  std::memcpy(bytes.data(), &header, sizeof header);
  const log::LogIdentity identity = LogDriver::identity();
  const auto recovered = log::recover(small.disk, kDirectory, log::RecoverMode::repair, &identity);
  CHECK(recovered.damaged.empty());
  CHECK(recovered.end == log::LogPoint{header.first_position, header.base_offset});
  CHECK_FALSE(recovered.torn);
  const auto report = small.verify();
  CHECK(report.clean());
  CHECK(report.records == 0);
}

TEST_CASE("segment: a position looked up by offset or time is where the record is", "[log]") {
  SmallLog small(64 * kBlock);
  small.add(50, 300, 1000);  // times 1000 … 1049
  small.add(50, 300, 1020);  // a step back, then 1020 … 1069
  small.source.skip(64, 2);
  small.add(50, 300, 2000);
  log::SegmentReader reader(small.disk, small.open(0));
  // Whoever looks something up reads on from a boundary that the reader knows.
  const auto first_from = [&](log::LogPoint boundary, const auto& wanted) {
    log::SegmentWalk walk(reader);
    walk.go_to(boundary);
    std::optional<log::LogPoint> found;
    for (log::Record record; !found && walk.next(record) == log::ReadStatus::ok;) {
      if (wanted(record.header, walk.at())) found = record.at;
    }
    return found;
  };
  const auto at_offset = [&](std::uint64_t offset) {
    return first_from(reader.find_offset(offset),
                      [&](const auto&, log::LogPoint behind) { return behind.offset > offset; });
  };
  const auto at_time = [&](std::int64_t time) {
    return first_from(reader.find_time(time), [&](const layout::RecordHeader& header, auto) {
      return header.kind == static_cast<std::uint8_t>(layout::RecordKind::data) &&
             header.timestamp_ns >= time;
    });
  };
  for (const auto& [offset, kept] : small.source.records) CHECK(at_offset(offset) == kept.at);
  CHECK(at_offset(101).value().offset == 100);  // within the skip
  CHECK_FALSE(at_offset(152));

  for (std::int64_t time = 990; time < 2060; ++time) {
    // by definition: the first record whose running maximum is at or after the time
    std::int64_t running_max = 0;
    std::optional<log::LogPoint> expected;
    for (const auto& [offset, kept] : small.source.records) {
      running_max = std::max(running_max, kept.time);
      if (running_max < time) continue;
      expected = kept.at;
      break;
    }
    CAPTURE(time);
    CHECK(at_time(time) == expected);
  }
}

TEST_CASE("segment: a reader beside the writer sees every written record and nothing else",
          "[log]") {
  SmallLog small(256 * kBlock);
  std::mt19937_64 random(Catch::rngSeed());
  small.add(1, 10);
  log::SegmentReader reader(small.disk, small.open(0));
  log::SegmentWalk walk(reader);
  std::uint64_t next_offset = 0;
  for (int step = 0; step < 3000 && small.source.tail().offset < 2000; ++step) {
    LogDriver& driver = *small.driver;
    if (small.source.room(500, driver.log().durable().position)) {
      small.source.add(std::string(random() % 500, 'x'), step);
    }
    driver.note_up_to(small.source.tail());
    if (random() % 2 == 0) static_cast<void>(driver.submit());
    if (random() % 4 == 0) static_cast<void>(driver.submit_synced());
    if (random() % 4 == 0) driver.sync();
    if (random() % 2 == 0) driver.reap_one();
    log::Record record;
    while (walk.next(record) == log::ReadStatus::ok) {
      REQUIRE(record.at.offset == next_offset);
      REQUIRE(record.at == small.source.records.at(next_offset).at);
      ++next_offset;
    }
    REQUIRE(next_offset >= driver.log().written().offset);
    REQUIRE(next_offset <= driver.log().noted().offset);
  }
  CHECK(next_offset > 500);
}

TEST_CASE("segment: a sealed one ends at its limit, whatever lies behind it", "[log]") {
  SmallLog small(64 * kBlock);
  small.add(100, 200);
  log::SegmentReader reader(small.disk, small.open(0));
  const log::LogPoint limit = small.source.records.at(60).at;
  reader.limit_to(limit);
  log::SegmentWalk walk(reader);
  log::Record record;
  std::uint64_t records = 0;
  while (walk.next(record) == log::ReadStatus::ok) ++records;
  CHECK(records == 60);
  CHECK(reader.end() == limit);
}

TEST_CASE("segment: a record across blocks of many pages is read whole", "[log]") {
  SmallLog small(64 * kBlock, {}, 8 * kBlock);
  small.add(150, 1000);
  log::SegmentReader reader(small.disk, small.open(0));
  log::SegmentWalk walk(reader);
  log::Record record;
  for (std::size_t i = 0; i < 150; ++i) {
    REQUIRE(walk.next(record) == log::ReadStatus::ok);
    REQUIRE(record.at == small.source.records.at(i).at);
    const auto first = static_cast<std::byte>('a' + i % 26);
    REQUIRE(std::all_of(record.body.begin(), record.body.begin() + 1000,
                        [&](std::byte each) { return each == first; }));
  }
}

TEST_CASE("segment: a forged slot that ends within a record shows nothing of it", "[log]") {
  SmallLog small(64 * kBlock, {}, 8 * kBlock);
  small.add(30, 1000);  // the last block stays open, several pages of it are written
  const log::SegmentReader honest(small.disk, small.open(0));
  const log::Geometry geometry(honest.header());
  const std::uint64_t id = honest.header().segment_id;
  auto& file = small.disk.bytes(small.path(0));
  for (std::uint64_t i = 0; i < log::kTailSlots; ++i) {
    log::TailSlot slot;
    std::memcpy(&slot, &file.at(geometry.slot_file_pos(i)), sizeof slot);
    slot.end_position = honest.end().position - layout::kUnitBytes;
    slot.block_index = geometry.block_of(slot.end_position);
    const std::uint64_t start = geometry.block_start(slot.block_index);
    const std::uint64_t page = log::page_floor(slot.end_position);
    REQUIRE(page > start + kBlock);
    std::vector<std::byte> data(slot.end_position - start);
    std::memcpy(data.data(), &file.at(geometry.file_pos(start)), page - start);
    std::memcpy(data.data() + (page - start), honest.slots().front().page,
                slot.end_position - page);
    std::memcpy(slot.page, honest.slots().front().page, sizeof slot.page);
    slot.data_checksum = storage::checksum(data, log::data_seed(id));
    slot.checksum = log::checksum_of(slot, log::slot_seed(id));
    std::memcpy(&file.at(geometry.slot_file_pos(i)), &slot, sizeof slot);
  }
  log::SegmentReader reader(small.disk, small.open(0));
  log::SegmentWalk walk(reader);
  log::Record record;
  for (int i = 0; i < 29; ++i) REQUIRE(walk.next(record) == log::ReadStatus::ok);
  CHECK(walk.next(record) != log::ReadStatus::ok);
  walk.go_to(small.source.records.at(28).at);
  REQUIRE(walk.next(record) == log::ReadStatus::ok);
  CHECK(record.body.front() == static_cast<std::byte>('a' + 28 % 26));
}

TEST_CASE("segment: an unreadable block is a status with the device's error", "[log]") {
  SmallLog small(64 * kBlock);
  small.add(100, 200);
  log::SegmentReader reader(small.disk, small.open(0));
  log::SegmentWalk walk(reader);
  small.disk.fail(Call::read, 1, EIO, true);
  log::Record record;
  CHECK(walk.next(record) == log::ReadStatus::io_error);
  CHECK(reader.hole().error == -EIO);
  small.disk.heal();
  CHECK(walk.next(record) == log::ReadStatus::ok);
}

}  // namespace ringway::test::log_segment_test
