#include "unit/cursor_fixture.hpp"

namespace ringway::client_cursor_seek_test {

using namespace ringway::cursor_fixture;

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

}  // namespace ringway::client_cursor_seek_test
