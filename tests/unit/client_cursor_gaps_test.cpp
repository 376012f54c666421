#include "client/boundary_table.hpp"
#include "daemon/gap_list.hpp"
#include "unit/cursor_fixture.hpp"

namespace ringway::client_cursor_gaps_test {

using namespace ringway::cursor_fixture;

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

TEST_CASE("cursor: of what is lost on disk the ring may still have the end", "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 3000; ++i) {
    world.publish();
    world.flush();
  }
  const auto oldest = oldest_boundary(world.plain.view());
  REQUIRE(oldest);
  REQUIRE(oldest->offset > 10);
  cursor.go_to({Status::ok, 10});
  const log::LogPoint end{world.log.end, world.published};
  world.log.answer = LogChunk{LogChunk::Kind::gap, end, {}, Status::corrupt};
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::corrupt);
  REQUIRE(world.gaps.size() == 1);
  CHECK(world.gaps[0].to == oldest->offset);
  CHECK(world.poll(cursor, 3000) == numbers(oldest->offset, world.published));
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

TEST_CASE("cursor: the log of a lost ring's successor is not taken for the content of the lost one",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  for (int i = 0; i < 3000; ++i) {
    world.publish();
    world.flush();
  }
  cursor.go_to({Status::ok, 10});
  // In memory only that ring had run ahead of its log, so that its positions come again.
  const log::LogPoint successor{world.follower.committed().position, std::uint64_t{1} << 51};
  world.log.answer = LogChunk{LogChunk::Kind::gap, successor, {}, Status::not_found};
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::not_found);
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::ok);
  CHECK(cursor.offset() == successor.offset);
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

}  // namespace ringway::client_cursor_gaps_test
