#include "unit/cursor_fixture.hpp"

namespace ringway::client_cursor_test {

using namespace ringway::cursor_fixture;

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

TEST_CASE("cursor: tells the log whether more is on its way into it", "[client]") {
  World world;
  const auto expected = [&] {
    PartitionCursor cursor = world.cursor();
    cursor.go_to({Status::ok, 0});
    const std::uint64_t end = std::exchange(world.log.end, world.log.records[10]);
    CHECK(world.poll(cursor) == numbers(0, 10));
    world.log.end = end;
    CHECK(world.poll(cursor, 1) == numbers(10, 11));
    return std::exchange(world.log.expected, std::nullopt);
  };
  for (int i = 0; i < 3000; ++i) {
    world.publish(100);
    world.flush();
  }
  layout::BoardPartition& board = *world.plain.board;
  board.written_position = world.follower.committed().position;
  CHECK(expected() == LogEnd::rests);
  board.hold = static_cast<std::uint32_t>(layout::Hold::disk_slow);
  CHECK(expected() == LogEnd::moves);
  board.hold = static_cast<std::uint32_t>(layout::Hold::none);
  board.written_position = board.written_position.load() - 32;
  CHECK(expected() == LogEnd::moves);
}

TEST_CASE("cursor: one that is to stop short leaves what was claimed last to its next call",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  CHECK(world.poll(cursor).empty());
  for (int i = 0; i < 10; ++i) world.publish();  // 96 bytes each
  CHECK(cursor.ahead() == 10 * 96);
  cursor.stop_short(3 * 96);
  CHECK(world.poll(cursor) == numbers(0, 7));
  CHECK(world.poll(cursor) == numbers(7, 10));
  world.publish();
  cursor.stop_short(3 * 96);  // there are not as many
  CHECK(world.poll(cursor) == numbers(10, 11));
  CHECK(cursor.ahead() == 0);
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

}  // namespace ringway::client_cursor_test
