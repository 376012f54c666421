#include "unit/cursor_fixture.hpp"

namespace ringway::client_cursor_quarantine_test {

using namespace ringway::cursor_fixture;

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

TEST_CASE("cursor: what was seen by who waited is believed once, then looked for again",
          "[client]") {
  World world;
  PartitionCursor cursor = world.cursor();
  cursor.go_to({Status::ok, 0});
  world.publish();
  CHECK(world.poll(cursor) == numbers(0, 1));
  world.publish();
  CHECK(cursor.something_came());
  world.plain.view().stamp(world.log.records[1]).store(0);
  world.plain.board->written_offset = 2;
  world.plain.board->hold = static_cast<std::uint32_t>(layout::Hold::quarantined);
  world.log.end = world.follower.committed().position;
  CHECK(world.poll(cursor).empty());
  CHECK(world.status == Status::ok);
  CHECK(world.poll(cursor) == numbers(1, 2));
}

}  // namespace ringway::client_cursor_quarantine_test
