#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/partition_cursor.hpp"
#include "daemon/commit_follower.hpp"
#include "daemon/gap_list.hpp"
#include "unit/ring_fixture.hpp"

namespace ringway::client_cursor_test {
namespace {

using layout::TopicMode;
using ring::test::PlainRing;
using ring::test::PlainWriter;

/// A log that lies in memory: every byte of the stream, from the position where it starts.
class MemoryLog : public LogSource {
 public:
  struct Content {
    std::string bytes;                               // from log position 0 on
    std::map<std::uint64_t, std::uint64_t> records;  // offset -> position
    std::uint64_t end = 0;                           // position up to which it is written
    std::optional<LogChunk> answer;                  // instead of the truth
  };
  explicit MemoryLog(Content& content) : content_(content) {}

  LogChunk read(log::LogPoint at) noexcept override {
    if (content_.answer) return *std::exchange(content_.answer, std::nullopt);
    if (at.position >= content_.end) return {};
    const std::string_view rest =
        std::string_view(content_.bytes).substr(at.position, content_.end - at.position);
    return {LogChunk::Kind::records, at, std::as_bytes(std::span(rest.data(), rest.size())),
            Status::ok};
  }
  LogChunk read_offset(std::uint64_t offset) noexcept override {
    auto found = content_.records.upper_bound(offset);
    if (found == content_.records.begin()) return {};
    --found;
    return read({found->second, found->first});
  }
  LogChunk read_time(std::int64_t) noexcept override { return {}; }
  void rest() noexcept override {}

 private:
  Content& content_;
};

struct World {
  explicit World(TopicMode topic_mode = TopicMode::persisted) : mode(topic_mode) {
    plain.board->base_offset = 0;
    plain.board->base_position = 0;
  }
  PartitionCursor cursor() {
    return PartitionCursor(7, plain.view(), slots.emplace_back(), mode,
                           std::make_unique<MemoryLog>(log));
  }
  /// Publishes one record with a payload of `bytes`, a number in front.
  std::uint64_t publish(std::size_t bytes = 40) {
    std::string payload = std::to_string(published);
    payload.resize(std::max(bytes, payload.size()), '.');
    const ring::Claimed claim = ring::test::publish_record(writer, payload);
    REQUIRE(claim.status == Status::ok);
    keep(claim);
    ++published;
    return claim.offset;
  }
  void keep(const ring::Claimed& claim) {
    const std::uint64_t end = claim.first + claim.bytes;
    log.bytes.resize(end);
    for (std::uint64_t p = claim.first; p < end; ++p) {
      log.bytes[p] = static_cast<char>(*plain.view().at(p));
    }
    log.records[claim.offset] = claim.first;
    follower.follow(~std::uint64_t{0} >> 1, [](const auto&, const auto&) {});
  }
  /// All that is committed is durable: the log has it and the ring's space may be reused.
  void flush() {
    log.end = follower.committed().position;
    plain.publish(follower.committed());
  }
  std::vector<std::uint64_t> poll(PartitionCursor& cursor, std::size_t max = 1000) {
    records.clear();
    records.reserve(max);
    PartitionCursor::Harvest harvest{records, max, gaps};
    status = cursor.collect(harvest);
    std::vector<std::uint64_t> offsets;
    for (const RecordView& record : records) {
      CHECK(record.partition() == 7);
      offsets.push_back(record.offset());
    }
    return offsets;
  }

  PlainRing plain;
  TopicMode mode;
  std::deque<layout::Slot> slots{1};
  PlainWriter writer{plain.view(), slots.front()};
  daemon::CommitFollower follower{plain.view(), {0, 0}};
  MemoryLog::Content log;
  std::uint64_t published = 0;
  std::vector<RecordView> records;
  std::vector<Gap> gaps;
  Status status = Status::ok;
};

std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all;
  for (; from < to; ++from) all.push_back(from);
  return all;
}

}  // namespace

TEST_CASE("cursor: reads every record once across the end of the data area", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to(cursor.resolve(start()));
  std::vector<std::uint64_t> seen;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 9; ++i) world.publish(100 + 37 * static_cast<std::size_t>(i));
    for (const std::uint64_t offset : world.poll(cursor)) seen.push_back(offset);
    for (const RecordView& record : world.records) {
      CHECK(record.value().substr(0, record.value().find('.')) == std::to_string(record.offset()));
    }
    world.flush();
  }
  CHECK(seen == numbers(0, 1800));
  CHECK(world.gaps.empty());
}

TEST_CASE("cursor: pins what it gave until the next call, and nothing after an empty one",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  world.publish();
  world.publish();
  CHECK(world.poll(cursor, 1) == numbers(0, 1));
  CHECK(world.slots.back().pin == 0);
  CHECK(world.poll(cursor) == numbers(1, 2));
  CHECK(world.slots.back().pin == 96);
  CHECK(world.poll(cursor).empty());
  CHECK(world.slots.back().pin == layout::kNoPin);
  CHECK(world.slots.back().offset == 2);
}

TEST_CASE("cursor: one that copies holds nothing, and what it gave outlives the ring", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  const auto values_hold = [&] {
    for (const RecordView& record : world.records) {
      const std::string begin = std::to_string(record.offset()) + "...";
      CHECK(record.value().substr(0, begin.size()) == begin);
      CHECK(record.value().find_first_not_of('.', begin.size()) == record.value().npos);
    }
  };
  world.log.bytes.reserve(16 << 20);  // what was given of it must stay where it is
  cursor.go_to({Status::ok, 0});
  for (int i = 0; i < 20; ++i) world.publish(100);
  CHECK(world.poll(cursor, 2) == numbers(0, 2));
  CHECK(world.slots.back().pin == 0);
  cursor.copy_from_now_on();
  CHECK(world.slots.back().pin == layout::kNoPin);
  std::vector<std::uint64_t> seen{0, 1};
  // Caught up, in the middle, lapped; some of them across the end of the data area.
  for (std::size_t round = 0; round < 400; ++round) {
    for (std::size_t i = 0; i < round % 7 * 3; ++i) {
      world.publish(10 + 137 * (world.published % 11));
    }
    if (round % 50 == 49) {
      while (world.published % 1000 != 0) world.publish(200), world.flush();
    }
    for (const std::uint64_t offset : world.poll(cursor, 1 + round % 40)) seen.push_back(offset);
    REQUIRE(world.status == Status::ok);
    CHECK(world.slots.back().pin == layout::kNoPin);
    world.flush();
    values_hold();
    CHECK(cursor.something_came() == (seen.size() < world.published));
  }
  while (seen.size() < world.published) {
    for (const std::uint64_t offset : world.poll(cursor)) seen.push_back(offset);
  }
  CHECK(seen == numbers(0, world.published));
  CHECK(world.gaps.empty());
  // To be in the log it does not have to be read there.
  const std::uint64_t next = world.publish(100);
  CHECK(world.poll(cursor) == numbers(next, next + 1));
  CHECK_FALSE(world.log.answer);
}

TEST_CASE("cursor: one that copies gives nothing behind the end of a retired ring", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  cursor.copy_from_now_on();
  for (int i = 0; i < 5; ++i) world.publish(100);
  world.plain.board->end_position = world.log.records.at(3);
  world.plain.board->end_offset = 3;
  world.plain.board->retired = static_cast<std::uint32_t>(layout::Retired::decided);
  CHECK(world.poll(cursor, 2) == numbers(0, 2));
  CHECK(world.poll(cursor) == numbers(2, 3));
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::ok);
}

TEST_CASE("cursor: one that is to copy goes on in place where there is no log", "[client]") {
  World world(TopicMode::memory_block);
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  cursor.copy_from_now_on();
  world.publish();
  CHECK(world.poll(cursor) == numbers(0, 1));
  CHECK(world.slots.back().pin == 0);
}

TEST_CASE("cursor: one that holds the place on a blocking topic keeps its pin", "[client]") {
  World world(TopicMode::memory_block);
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  CHECK(world.slots.back().pin == 0);
  world.publish();
  CHECK(world.poll(cursor) == numbers(0, 1));
  CHECK(world.slots.back().pin == 0);
  CHECK(world.poll(cursor).empty());
  CHECK(world.slots.back().pin == 96);
}

TEST_CASE("cursor: a slow one on a blocking topic holds producers up and loses nothing",
          "[client]") {
  World world(TopicMode::memory_block);
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  std::vector<std::uint64_t> seen;
  std::uint64_t refused = 0;
  while (world.published < 5000) {
    const ring::Claimed claim = ring::test::publish_record(world.writer, std::string(40, 'x'));
    if (claim.status == Status::ok) {
      world.keep(claim);
      ++world.published;
      continue;
    }
    ++refused;
    for (const std::uint64_t offset : world.poll(cursor, 3)) seen.push_back(offset);
    world.plain.publish(world.follower.committed(), {world.slots.back().pin});
  }
  for (const std::uint64_t offset : world.poll(cursor, 5000)) seen.push_back(offset);
  CHECK(refused > 1000);
  CHECK(seen == numbers(0, 5000));
}

TEST_CASE("cursor: falls to the log and comes back, with no gap and no repeat", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  std::vector<std::uint64_t> seen;
  // Eight laps behind, then catching up in small steps while the producer goes on.
  for (int i = 0; i < 5000; ++i) {
    world.publish();
    if (i % 8 == 0) world.flush();
  }
  for (int i = 0; i < 6000; ++i) {
    if (i % 3 == 0 && world.published < 6500) world.publish();
    if (i % 24 == 0) world.flush();
    for (const std::uint64_t offset : world.poll(cursor, 3)) seen.push_back(offset);
    REQUIRE(world.status == Status::ok);
    cursor.release();
  }
  CHECK(seen == numbers(0, 6500));
  CHECK(world.gaps.empty());
}

TEST_CASE("cursor: a log whose offsets contradict the ring is corrupt, not believed", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 3000; ++i) world.publish(), world.flush();
  for (int i = 0; i < 9; ++i) world.publish();
  // A record from just before those that are in the ring, under a number of long ago.
  const std::uint64_t position = world.log.records.at(3000);
  const std::string_view record = std::string_view(world.log.bytes).substr(position, 96);
  world.log.answer = LogChunk{LogChunk::Kind::records,
                              {position, 5},
                              std::as_bytes(std::span(record.data(), record.size())),
                              Status::ok};
  cursor.go_to({Status::ok, 5});
  CHECK(world.poll(cursor) == numbers(5, 6));
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::corrupt);
}

TEST_CASE("cursor: from the log of an earlier ring it goes on in the new one by offset",
          "[client]") {
  World world;
  std::uint64_t nonce = 7;
  ring::open_ring(world.plain.view(), 10, [&] { return nonce *= 31; });
  world.plain.board->base_offset = 10;
  world.plain.board->base_position = 8192;  // rounded up: the log before it ends at 5096
  world.follower = daemon::CommitFollower(world.plain.view(), {0, 10});
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 5; ++i) world.publish();
  const std::string last(world.log.bytes, 0, 96);
  world.log.answer = LogChunk{LogChunk::Kind::records,
                              {5000, 9},
                              std::as_bytes(std::span(last.data(), last.size())),
                              Status::ok};
  world.log.records[0] = 0;
  cursor.go_to({Status::ok, 9});
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 4; ++i) {
    for (const std::uint64_t offset : world.poll(cursor)) seen.push_back(offset);
  }
  CHECK(seen == numbers(9, 15));
  CHECK(world.gaps.empty());
}

TEST_CASE("cursor: what went with a lost ring is a gap, also while the new one is empty",
          "[client]") {
  World world;
  std::uint64_t nonce = 7;
  ring::open_ring(world.plain.view(), 1000, [&] { return nonce *= 31; });
  world.plain.board->base_offset = 1000;
  world.plain.board->base_position = 8192;
  world.follower = daemon::CommitFollower(world.plain.view(), {0, 1000});
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 10});  // the log ends there
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::not_found);
  REQUIRE(world.gaps.size() == 1);
  CHECK(world.gaps[0].from == 10);
  CHECK(world.gaps[0].to == 1000);
  CHECK(cursor.offset() == 1000);
  CHECK_FALSE(cursor.something_came());
  world.publish();
  cursor.try_again();
  CHECK(cursor.something_came());
  CHECK(world.poll(cursor) == numbers(1000, 1001));
}

TEST_CASE("cursor: a hole in the log is a gap of known size, and it goes on behind it",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 3000; ++i) {
    world.publish();
    world.flush();
  }
  cursor.go_to({Status::ok, 10});
  world.log.answer =
      LogChunk{LogChunk::Kind::gap, {world.log.records.at(40), 40}, {}, Status::corrupt};
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::corrupt);
  CHECK(world.poll(cursor, 2) == numbers(40, 42));
  REQUIRE(world.gaps.size() == 1);
  CHECK(world.gaps[0].from == 10);
  CHECK(world.gaps[0].to == 40);
  CHECK(world.gaps[0].reason == Status::corrupt);
}

TEST_CASE("cursor: what left the ring before it was written is an exact gap, passed at once",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 100; ++i) world.publish();
  world.flush();
  cursor.go_to({Status::ok, 10});
  CHECK(world.poll(cursor) == numbers(10, 100));
  cursor.release();
  // From now on the device refuses, and what is handed back is nowhere.
  layout::BoardPartition& board = *world.plain.board;
  daemon::GapList gaps(board);
  const std::uint64_t ring_bytes = world.plain.view().ring_bytes();
  std::uint64_t to = 0;
  const auto leave_out = [&] {
    ring::Place reusable = world.follower.committed();
    if (reusable.position < ring_bytes / 2) return;
    reusable.position -= ring_bytes / 8 * 3;
    const std::uint64_t segment = ring::ring_segment_bytes(ring_bytes);
    to = daemon::first_boundary(board, reusable.position / segment * segment,
                                world.follower.committed())
             .offset;
    gaps.extend(100, 100, to);
    world.plain.publish(reusable);
  };
  for (int i = 0; i < 3000; ++i) world.publish(), leave_out();
  REQUIRE(to > 2000);
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::not_found);
  REQUIRE(world.gaps.size() == 1);
  CHECK(world.gaps[0].from == 100);
  CHECK(world.gaps[0].to == to);
  CHECK(world.poll(cursor) == numbers(to, 3100));
  cursor.release();
  // Overtaken once more, by less than the ring could ever hold.
  const std::uint64_t before = world.published;
  for (int i = 0; i < 3000; ++i) world.publish(), leave_out();
  CHECK(world.poll(cursor).empty());
  REQUIRE(world.gaps.size() == 2);
  CHECK(world.gaps[1].from == before);
  CHECK(world.gaps[1].to == to);
  CHECK(world.poll(cursor) == numbers(to, world.published));
}

TEST_CASE("cursor: a later gap is not taken for the place that the log will tell", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 3000; ++i) {
    world.publish();
    world.flush();
  }
  daemon::GapList(*world.plain.board).extend(2000, 2000, 2990);
  cursor.go_to({Status::ok, 10});
  // As if the question had been answered just before the log went on behind it.
  world.log.answer = LogChunk{};
  CHECK(world.poll(cursor).empty());
  CHECK(world.gaps.empty());
  cursor.try_again();
  CHECK(world.poll(cursor, 2) == numbers(10, 12));
}

TEST_CASE("cursor: retention that overtook it is a gap", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 3000; ++i) {
    world.publish();
    world.flush();
  }
  world.plain.board->first_offset = 50;
  CHECK(cursor.resolve(at_offset(49)).status == Status::not_found);
  CHECK(cursor.resolve(start()).offset == 50);
  cursor.go_to({Status::ok, 20});
  CHECK(world.poll(cursor, 1) == numbers(50, 51));
  CHECK(world.status == Status::not_found);
  REQUIRE(world.gaps.size() == 1);
  CHECK(world.gaps[0].from == 20);
  CHECK(world.gaps[0].to == 50);
  CHECK(world.gaps[0].reason == Status::not_found);
  CHECK(world.poll(cursor, 1) == numbers(51, 52));
  CHECK(world.status == Status::ok);
}

TEST_CASE("cursor: on a topic that overwrites, being lapped is an exact gap", "[client]") {
  World world(TopicMode::memory_overwrite);
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  world.publish();
  CHECK(world.poll(cursor) == numbers(0, 1));
  CHECK(cursor.intact());
  for (int i = 0; i < 3000; ++i) {
    world.publish();
    world.plain.publish(world.follower.committed());
  }
  CHECK_FALSE(cursor.intact());
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::lapped);
  REQUIRE(world.gaps.size() == 1);
  CHECK(world.gaps[0].from == 1);
  const auto rest = world.poll(cursor, 5000);
  CHECK(rest == numbers(world.gaps[0].to, 3001));
  CHECK(world.slots.back().pin == layout::kNoPin);
}

TEST_CASE("cursor: skips are passed and counted, also as the last records", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  world.publish();
  const ring::Claimed claim = world.writer.try_claim(96 * 3, 3);
  world.writer.abort(claim, 3);
  CHECK(world.poll(cursor) == numbers(0, 1));
  CHECK(cursor.offset() == 4);
  CHECK(cursor.committed_offset() == 4);
  CHECK(cursor.lag().records == 0);
}

TEST_CASE("cursor: finds any offset of the ring by the boundary table", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 2000; ++i) {
    world.publish(static_cast<std::size_t>(i % 200));
    world.flush();
  }
  for (std::uint64_t offset = 2000; offset > 1700; offset -= 7) {
    cursor.go_to({Status::ok, offset});
    CHECK(world.poll(cursor) == numbers(offset, 2000));
  }
}

TEST_CASE("cursor: sees what is committed by itself, without the supervisor's watermark",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 10; ++i) world.publish();
  for (int i = 0; i < 10; ++i) ring::test::publish_record(world.writer, "unseen by the follower");
  CHECK(world.plain.board->committed_offset == 10);
  CHECK(cursor.committed_offset() == 20);
  CHECK(cursor.resolve(end()).offset == 20);
  CHECK(cursor.resolve(at_offset(20)).status == Status::ok);
  CHECK(cursor.resolve(at_offset(21)).status == Status::beyond_end);
}

TEST_CASE("cursor: from a time on, it begins with the first record that reaches it", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  const auto publish_at = [&](std::int64_t time) {
    const ring::Claimed claim = world.writer.try_claim(32, 1);
    layout::RecordHeader header{};
    header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
    header.timestamp_ns = time;
    world.writer.view().store_header(claim.position, header);
    world.writer.commit(claim);
    world.keep(claim);
  };
  for (const std::int64_t time : {10, 20, 15, 30, 25, 40}) publish_at(time);
  cursor.go_to(cursor.resolve(at_timestamp(21)));
  CHECK(world.poll(cursor) == numbers(3, 6));
  cursor.go_to(cursor.resolve(at_timestamp(50)));
  CHECK(world.poll(cursor).empty());
  publish_at(49);
  publish_at(50);
  CHECK(world.poll(cursor) == numbers(7, 8));
}

TEST_CASE("cursor: corrupt content of the ring is quarantined, not followed", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  world.publish();
  const ring::Claimed claim = world.writer.try_claim(64, 1);
  layout::RecordHeader header{};
  header.kind = 9;
  world.writer.view().store_header(claim.position, header);
  world.writer.commit(claim);
  CHECK(world.poll(cursor) == numbers(0, 1));
  CHECK(world.status == Status::quarantined);
}

TEST_CASE("cursor: what was written over in the ring comes from the log, or is told to be nowhere",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  for (int i = 0; i < 3; ++i) world.publish();
  layout::RecordHeader header{};
  header.kind = 9;
  world.plain.view().store_header(world.log.records[1], header);
  world.plain.board->written_offset = 3;
  world.plain.board->hold = static_cast<std::uint32_t>(layout::Hold::quarantined);
  CHECK(world.poll(cursor) == numbers(0, 1));
  CHECK(world.status == Status::ok);
  // The log has nothing of it, whatever the board says: asked once a poll, and said each time.
  for (int i = 0; i < 3; ++i) {
    CHECK(world.poll(cursor).empty());
    CHECK(world.status == Status::quarantined);
  }
  world.log.end = world.follower.committed().position;
  CHECK(world.poll(cursor) == numbers(1, 3));
  CHECK(world.status == Status::ok);
}

}  // namespace ringway::client_cursor_test
