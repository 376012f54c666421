#include <catch2/catch.hpp>

#include "daemon/commit_follower.hpp"
#include "daemon/hole_list.hpp"
#include "daemon/partition_handles.hpp"
#include "unit/ring_fixture.hpp"

namespace flusher_parts_test {

using namespace ringway;
using namespace ringway::daemon;
using namespace ringway::ring;
using namespace ringway::ring::test;
using layout::Role;
using layout::Slot;

namespace {
constexpr std::uint64_t kSegment = PlainRing::kBytes / layout::kRingSegments;
const auto kIgnore = [](const Place&, const layout::RecordHeader&) {};
}  // namespace

TEST_CASE("follower: publishes committed up to the first unsettled claim", "[flusher]") {
  PlainRing ring;
  Slot a{}, b{};
  PlainWriter first(ring.view(), a), second(ring.view(), b);
  publish_record(first, "one");
  const Claimed open = first.try_claim(64, 1);
  publish_record(second, "behind");
  CommitFollower follower(ring.view(), {0, 0});
  CHECK(follower.follow(1 << 20, kIgnore) == Found::nothing);
  CHECK(ring.board->committed_offset.load() == 1);
  fill(ring.view(), open.position, "open");
  first.commit(open);
  follower.follow(1 << 20, kIgnore);
  CHECK(ring.board->committed_offset.load() == 3);
  CHECK(ring.board->committed_position.load() == ring.tail_position());
}

TEST_CASE("follower: the boundary table names the first record of every ring segment",
          "[flusher]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  publish_record(writer, std::string(2 * kSegment, 'x'));  // covers segments 0, 1 and a bit of 2
  publish_record(writer, std::string(kSegment, 'y'));
  publish_record(writer, "z");
  CommitFollower follower(ring.view(), {0, 0});
  follower.follow(1 << 20, kIgnore);
  const auto& boundary = ring.board->boundary;
  CHECK(boundary[0].position.load() == 0);
  CHECK(boundary[1].position.load() == 2 * kSegment + 32);
  CHECK(boundary[2].position.load() == 2 * kSegment + 32);
  CHECK(boundary[2].offset.load() == 1);
  CHECK(boundary[3].position.load() == 3 * kSegment + 64);
  CHECK(boundary[3].offset.load() == 2);
}

TEST_CASE("follower: a supervisor that adopts the ring goes on from a whole boundary entry",
          "[flusher]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  for (int i = 0; i < 30; ++i) publish_record(writer, std::string(kSegment / 4, 'x'));
  CommitFollower follower(ring.view(), {0, 0});
  follower.follow(1 << 20, kIgnore);
  const Place place = CommitFollower::last_boundary(ring.view());
  CHECK(place.position > 0);
  CommitFollower adopted(ring.view(), place);
  adopted.follow(1 << 20, kIgnore);
  CHECK(adopted.committed() == follower.committed());
  // The last entry was being written when its supervisor was killed: the one before it counts.
  for (auto& entry : ring.board->boundary) {
    if (entry.position.load() == place.position) entry.position.store(~std::uint64_t{0});
  }
  CHECK(CommitFollower::last_boundary(ring.view()).position < place.position);
}

TEST_CASE("follower: committed is never taken back", "[flusher]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  for (int i = 0; i < 5; ++i) publish_record(writer, "x");
  CommitFollower(ring.view(), {0, 0}).follow(1 << 20, kIgnore);
  CommitFollower(ring.view(), {0, 0}).follow(64, kIgnore);
  CHECK(ring.board->committed_offset.load() == 5);
}

TEST_CASE("follower: a jump publishes committed, and the only boundary of what it passes",
          "[flusher]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  for (int i = 0; i < 9; ++i) publish_record(writer, std::string(kSegment / 4, 'x'));
  CommitFollower follower(ring.view(), {0, 0});
  follower.follow(1, kIgnore);
  CHECK(follower.committed().offset == 1);
  const Place end{ring.tail_position(), 9};
  follower.jump(end);
  CHECK(follower.committed() == end);
  CHECK(ring.board->committed_offset.load() == 9);
  CHECK(ring.board->committed_position.load() == end.position);
  const auto& boundary = ring.board->boundary;
  CHECK(boundary[0].position.load() == 0);
  for (const int segment : {1, 2}) {
    CHECK(boundary[segment].position.load() == end.position);
    CHECK(boundary[segment].offset.load() == 9);
  }
  CHECK(boundary[3].position.load() == 0);
  CHECK(CommitFollower::last_boundary(ring.view()) == end);
  for (int i = 0; i < 4; ++i) publish_record(writer, std::string(kSegment / 4, 'x'));
  follower.follow(1 << 20, kIgnore);
  CHECK(follower.committed().offset == 13);
  CHECK(boundary[3].position.load() >= 3 * kSegment);
  CHECK(boundary[3].position.load() < 3 * kSegment + kSegment / 4 + 32);
}

TEST_CASE("holes: one that is passed without being met is waited for no more", "[flusher]") {
  PlainRing ring;
  HoleList holes(*ring.board);
  for (const std::uint64_t position : {64, 128}) {
    holes.add({1, 1, RepairOutcome{RepairStep::finished, position, 64, 1}, false});
  }
  holes.place({96, 3});
  CHECK_FALSE(holes.placed());
  holes.place({128, 4});
  CHECK(holes.placed());
  CHECK(ring.board->hole[0].offset.load() == layout::kNoOffset);
  CHECK(ring.board->hole[1].offset.load() == 4);
}

TEST_CASE("handles: a released producer's claim is finished once, its slot is forgotten",
          "[flusher]") {
  PlainRing ring;
  Slot dead{}, live{}, consumer{};
  PlainWriter victim(ring.view(), dead), other(ring.view(), live);
  PartitionHandles handles;
  handles.add(Role::producer, 1, 100, &dead);
  handles.add(Role::producer, 2, 200, &live);
  handles.add(Role::consumer, 3, 300, &consumer);
  victim.try_claim(96, 1);
  CHECK(handles.claim_holder(0)->pid == 100u);
  publish_record(other, "behind");
  CHECK_FALSE(handles.release(1));
  std::vector<PartitionHandles::Settled> settled;
  handles.settle(ring.view(), [&](const auto& done) { settled.push_back(done); });
  REQUIRE(settled.size() == 1);
  CHECK(settled[0].handle == 1);
  REQUIRE(settled[0].hole);
  CHECK(settled[0].hole->bytes == 96);
  CHECK_FALSE(handles.unsettled());
  CHECK(handles.pin_count() == 1);
  CHECK(handles.release(3));
  CHECK(handles.pin_count() == 0);
  CHECK(handles.release(77));  // unknown: nothing is left to settle
}

}  // namespace flusher_parts_test
