#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ring/carry_over.hpp"
#include "ring/retire.hpp"
#include "unit/ring_fixture.hpp"

namespace ring_retire_test {

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::test;
using layout::Slot;

namespace {

/// A ring whose first record is committed, with three producers behind it.
struct Retiring {
  Retiring() {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      writers.emplace_back(ring.view(), slots[i]);
      claimants.push_back({&slots[i], false, true});
    }
    REQUIRE(publish_record(writers[0], "first").status == Status::ok);
    end = {64, 1};
  }

  void retire() {
    ring::close(ring.view());
    ring::retire(ring.view(), end, [this] { ++barriers; });
  }
  Decision decide() {
    std::vector<Intention> snapshot(claimants.size());
    voided.clear();
    return ring::decide<PartitionView, Slot>(
        ring.view(), claimants, snapshot, culprit,
        [this](layout::VoidClaim&, std::size_t claimant) { voided.push_back(claimant); });
  }
  /// What the successor holds: payloads, and "skip N" for N offsets skipped.
  std::vector<std::string> successor() {
    std::vector<std::string> content;
    REQUIRE(carry_over(ring.view(), next.view()));
    Place place{0, end.offset};
    walk(next.view(), place, PlainRing::kBytes,
         [&](const Place& at, const layout::RecordHeader& header) {
           content.push_back(header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)
                                 ? payload_at(next.view(), at.position, header)
                                 : "skip " + std::to_string(layout::record_offsets(header)));
         });
    CHECK(place.position == next.tail_position());
    last = place;
    return content;
  }
  PlainRing opened_at(std::uint64_t offset) {
    PlainRing fresh;
    open_ring(fresh.view(), offset, [nonce = std::uint64_t{99}]() mutable { return nonce += 77; });
    return fresh;
  }

  PlainRing ring;
  PlainRing next = opened_at(1);
  std::array<Slot, 3> slots{};
  std::vector<PlainWriter> writers;
  std::vector<Claimant<Slot>> claimants;
  Place end{};
  Place last{};
  std::vector<std::size_t> voided;
  std::size_t culprit = ~std::size_t{0};
  int barriers = 0;
};

}  // namespace

TEST_CASE("retire: a claim that is not stamped is void, what stands behind it is carried over",
          "[retire]") {
  Retiring stage;
  const Claimed stopped = stage.writers[1].try_claim(96, 2);
  const Claimed behind = publish_record(stage.writers[0], "behind");
  REQUIRE(behind.offset == 3);
  stage.retire();
  CHECK(stage.barriers == 1);
  CHECK(stage.writers[2].try_claim(64, 1).status == Status::closed);
  CHECK(stage.decide() == Decision::decided);
  CHECK(stage.voided == std::vector<std::size_t>{1});
  CHECK(stage.successor() == std::vector<std::string>{"skip 2", "behind"});
  CHECK(stage.last == Place{96 + 64, 4});

  SECTION("its owner wakes up: its late stamp is no record, and it is told") {
    fill(stage.ring.view(), stopped.position, "too late");
    CHECK_FALSE(stage.writers[1].commit(stopped));
    CHECK(stage.writers[1].verdict(stopped) == Verdict::voided);
    CHECK(ring_end(stage.ring.view()) == 64);
  }
  SECTION("the next claim in the successor goes on behind it") {
    Slot slot{};
    PlainWriter writer(stage.next.view(), slot);
    CHECK(publish_record(writer, "next").offset == 4);
  }
}

TEST_CASE("retire: what is stamped before the decision stands, and its producer is told",
          "[retire]") {
  Retiring stage;
  const Claimed late = stage.writers[1].try_claim(64, 1);
  fill(stage.ring.view(), late.position, "late");
  stage.retire();
  CHECK_FALSE(stage.writers[1].commit(late));
  CHECK(stage.writers[1].verdict(late) == Verdict::pending);
  CHECK(stage.decide() == Decision::decided);
  CHECK(stage.voided.empty());
  CHECK(stage.writers[1].verdict(late) == Verdict::accepted);
  CHECK(stage.successor() == std::vector<std::string>{"late"});
}

TEST_CASE("retire: stopped between CAS and OWN, the boundary rule decides", "[retire]") {
  Retiring stage;
  const Claimed won = stage.writers[1].try_claim(96, 1);
  // Both tried at the same place; the slot of the winner was never told.
  const std::uint64_t word = layout::pack_intent(won.position, layout::Intent::trying);
  stage.slots[1].word = word;
  stage.slots[2].length = layout::pack_length(64, 1);
  stage.slots[2].tail = stage.slots[1].tail.load();
  stage.slots[2].word = word;
  stage.retire();
  CHECK(stage.decide() == Decision::decided);
  CHECK(stage.voided == std::vector<std::size_t>{1});
  CHECK(stage.successor() == std::vector<std::string>{"skip 1"});
  CHECK(stage.last == Place{96, 2});
}

TEST_CASE("retire: a producer that the barrier does not reach is never fenced", "[retire]") {
  Retiring stage;
  stage.claimants[1].reached = false;
  const Claimed stopped = stage.writers[1].try_claim(64, 1);
  stage.retire();
  CHECK(stage.decide() == Decision::unreached);
  CHECK(stage.culprit == 1);
  SECTION("all is taken back, and it goes on") {
    reopen(stage.ring.view());
    fill(stage.ring.view(), stopped.position, "on time");
    CHECK(stage.writers[1].commit(stopped));
    CHECK(publish_record(stage.writers[2], "next").status == Status::ok);
  }
  SECTION("dead, its claim is as void as any") {
    stage.claimants[1].dead = true;
    CHECK(stage.decide() == Decision::decided);
    CHECK(stage.successor() == std::vector<std::string>{"skip 1"});
  }
}

TEST_CASE("retire: in quarantine everything behind the end is void", "[retire]") {
  Retiring stage;
  const Claimed claim = stage.writers[1].try_claim(64, 1);
  stage.retire();
  give_up(stage.ring.view());
  fill(stage.ring.view(), claim.position, "x");
  CHECK_FALSE(stage.writers[1].commit(claim));
  CHECK(stage.writers[1].verdict(claim) == Verdict::voided);
}

TEST_CASE("retire: a supervisor that died on the way is followed by one that decides again",
          "[retire]") {
  Retiring stage;
  const Claimed first = stage.writers[1].try_claim(64, 1);
  const Claimed second = stage.writers[2].try_claim(64, 1);
  stage.retire();
  // It had taken one claim down when it died; its owner has stamped since.
  stage.ring.view().void_claim(0).position = first.position;
  fill(stage.ring.view(), first.position, "stood up");
  CHECK_FALSE(stage.writers[1].commit(first));
  CHECK(stage.decide() == Decision::decided);
  CHECK(stage.writers[1].verdict(first) == Verdict::accepted);
  CHECK(stage.writers[2].verdict(second) == Verdict::voided);
  CHECK(stage.successor() == std::vector<std::string>{"stood up", "skip 1"});
}

TEST_CASE("retire: a claim that no slot speaks of is not decided", "[retire]") {
  Retiring stage;
  const Claimed claim = stage.writers[1].try_claim(64, 1);
  stage.slots[1].word = 0;
  stage.retire();
  CHECK(stage.decide() == Decision::nobody);
  CHECK(stage.writers[1].verdict(claim) == Verdict::pending);
}

TEST_CASE("retire: a tail beyond what was announced is corrupt", "[retire]") {
  Retiring stage;
  stage.ring.tail->tail = stage.ring.view().codec().pack({true, 2 * PlainRing::kBytes, 9});
  stage.retire();
  CHECK(stage.decide() == Decision::corrupt);
  CHECK_FALSE(carry_over(stage.ring.view(), stage.next.view()));
}

TEST_CASE("retire: records that lie across the end of the ring are carried over whole",
          "[retire]") {
  Retiring stage;
  const std::uint64_t start = PlainRing::kBytes - 64;
  stage.ring.tail->tail = stage.ring.view().codec().pack({false, start, 1});
  stage.ring.board->limit = stage.ring.board->announced = start / 4096 * 4096 + PlainRing::kBytes;
  stage.end = {start, 1};
  const Claimed stopped = stage.writers[1].try_claim(32, 1);
  REQUIRE(stopped.position == start);
  const std::string text(100, 'x');
  REQUIRE(publish_record(stage.writers[0], text).status == Status::ok);
  stage.retire();
  REQUIRE(stage.decide() == Decision::decided);
  // Mapped once, the claim began with filler up to the end of the data area.
  CHECK(stage.successor() == std::vector<std::string>{"skip 1", "skip 0", text});
  CHECK(stage.last.offset == 3);
}

}  // namespace ring_retire_test
