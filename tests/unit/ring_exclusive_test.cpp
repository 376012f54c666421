#include <catch2/catch.hpp>

#include "ring/carry_over.hpp"
#include "ring/retire.hpp"
#include "ring/sharing.hpp"
#include "unit/ring_fixture.hpp"

namespace ring_exclusive_test {

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::test;
using layout::ClaimMode;
using layout::Intent;
using layout::Slot;

namespace {

using PlainSharing = Sharing<PartitionView, Slot>;

struct ExclusiveSlot : Slot {
  ExclusiveSlot() : Slot{} { mode.store(static_cast<std::uint32_t>(ClaimMode::exclusive)); }
  bool shared() const { return mode.load() == static_cast<std::uint32_t>(ClaimMode::shared); }
};

/// Payloads from the beginning; skips as "-n".
std::vector<std::string> settled(PlainRing& ring) {
  std::vector<std::string> out;
  Place place{0, 0};
  walk(ring.view(), place, ring.board->announced.load(),
       [&](const Place& at, const layout::RecordHeader& header) {
         out.push_back(header.kind == static_cast<std::uint8_t>(layout::RecordKind::skip)
                           ? "-" + std::to_string(header.producer)
                           : payload_at(ring.view(), at.position, header));
       });
  return out;
}

RepairOutcome repair_slots(PlainRing& ring, const std::vector<Claimant<Slot>>& claimants,
                           std::size_t victim) {
  std::vector<Intention> snapshot(claimants.size());
  return repair<PartitionView, Slot>(ring.view(), claimants, victim, snapshot);
}

/// What an owner leaves that dies within a claim of two units at the tail there is.
enum class Died { after_intent, after_claim, after_own };
void die_in_claim(PlainRing& ring, Slot& slot, Died when) {
  const auto codec = ring.view().codec();
  const std::uint64_t word = ring.tail->tail.load();
  const layout::Tail tail = codec.unpack(word);
  slot.length.store(layout::pack_length(64, 1));
  slot.tail.store(word);
  slot.word.store(layout::pack_intent(tail.position, Intent::trying));
  if (when == Died::after_intent) return;
  ring.tail->tail.store(codec.pack({false, tail.position + 64, tail.offset_low + 1}));
  if (when == Died::after_claim) return;
  slot.word.store(layout::pack_intent(tail.position, Intent::owned));
}

}  // namespace

TEST_CASE("exclusive: claims, batches and aborts are what they are with others", "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  PlainWriter writer(ring.view(), slot);
  CHECK(writer.exclusive());
  CHECK(publish_record(writer, "one").offset == 0);
  writer.abort(writer.try_claim(64, 2), 2);
  const Claimed batch = writer.try_claim(128, 2);
  CHECK(batch.offset == 3);
  fill(ring.view(), batch.position, "two");
  fill(ring.view(), batch.position + 64, "three");
  writer.stamp_inner(batch.position + 64);
  CHECK(settled(ring) == std::vector<std::string>{"one", "-2"});
  writer.commit(batch);
  CHECK(settled(ring) == std::vector<std::string>{"one", "-2", "two", "three"});
  CHECK(slot.word.load() == 0);
  CHECK_FALSE(slot.shared());
}

TEST_CASE("exclusive: the limit and a closed tail refuse, and nothing was consumed", "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  PlainWriter writer(ring.view(), slot);
  for (int i = 0; i < 4; ++i) writer.abort(writer.try_claim(PlainRing::kBytes / 4, 1), 1);
  const auto tail = ring.tail->tail.load();
  CHECK(writer.try_claim(32, 1).status == Status::back_pressured);
  CHECK(ring.tail->tail.load() == tail);
  ring.tail->tail.fetch_or(layout::TailCodec::kClosed);
  CHECK(writer.try_claim(32, 1).status == Status::closed);
  CHECK(ring.tail->tail.load() == (tail | layout::TailCodec::kClosed));
}

TEST_CASE("exclusive: the claim after share_wanted says so, and goes by compare-and-swap",
          "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  Slot other{};
  PlainWriter owner(ring.view(), slot);
  publish_record(owner, "alone");
  PlainSharing sharing(ring.view(), slot);
  sharing.want();
  CHECK_FALSE(owner.exclusive());
  CHECK_FALSE(sharing.over());  // nobody knows what its next claim sees
  publish_record(owner, "not alone");
  CHECK(slot.shared());
  CHECK(sharing.over());
  PlainWriter second(ring.view(), other);
  publish_record(second, "beside");
  publish_record(owner, "still there");
  CHECK(settled(ring) == std::vector<std::string>{"alone", "not alone", "beside", "still there"});
}

TEST_CASE("exclusive: behind a barrier an owner between claims need not move", "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  PlainWriter owner(ring.view(), slot);
  publish_record(owner, "alone");
  const Claimed open = owner.try_claim(64, 1);
  REQUIRE(open.status == Status::ok);
  PlainSharing sharing(ring.view(), slot);
  sharing.want();
  sharing.barrier_passed();
  CHECK(sharing.over());  // it owns what it claimed: tail was stored
  Slot other{};
  PlainWriter second(ring.view(), other);
  publish_record(second, "beside");
  fill(ring.view(), open.position, "slow");
  owner.commit(open);
  publish_record(owner, "shared");
  CHECK(settled(ring) == std::vector<std::string>{"alone", "slow", "beside", "shared"});
}

TEST_CASE("exclusive: an owner that stands between intent and claim is awaited", "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  die_in_claim(ring, slot, Died::after_intent);
  PlainSharing sharing(ring.view(), slot);
  sharing.want();
  CHECK_FALSE(sharing.over());
  sharing.barrier_passed();
  CHECK_FALSE(sharing.over());
  sharing.barrier_passed();  // a second look behind the barrier proves no more than the first
  CHECK_FALSE(sharing.over());
  slot.word.store(layout::pack_intent(0, Intent::owned));
  CHECK(sharing.over());

  PlainSharing next(ring.view(), slot);  // the next supervisor's
  next.want();
  next.barrier_passed();
  CHECK(next.over());
}

TEST_CASE("exclusive: a dead owner's claim is repaired wherever it died", "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  PlainWriter owner(ring.view(), slot);
  publish_record(owner, "before");
  const std::uint64_t tail = ring.tail_position();
  const Died when = GENERATE(Died::after_intent, Died::after_claim, Died::after_own);
  die_in_claim(ring, slot, when);
  const RepairOutcome outcome = repair_slots(ring, {{&slot, true}}, 0);
  Slot other{};
  PlainWriter second(ring.view(), other);
  const Claimed behind = publish_record(second, "behind");
  if (when == Died::after_intent) {
    CHECK(outcome.step == RepairStep::freed);
    CHECK(settled(ring) == std::vector<std::string>{"before", "behind"});
  } else {
    CHECK(outcome.step == RepairStep::finished);
    CHECK(outcome.position == tail);
    CHECK(outcome.bytes == 64);
    CHECK(settled(ring) == std::vector<std::string>{"before", "-1", "behind"});
    CHECK(behind.offset == 2);
  }
}

TEST_CASE("exclusive: an owner stopped between intent and own is fenced, whenever its claim comes",
          "[ring]") {
  enum class Stores { before_the_decision, behind_it, after_the_copy };
  const Stores when =
      GENERATE(Stores::before_the_decision, Stores::behind_it, Stores::after_the_copy);
  PlainRing ring;
  const PartitionView view = ring.view();
  ExclusiveSlot slot;
  PlainWriter owner(view, slot);
  publish_record(owner, "before");
  const Claimed claim{Status::ok, 64, 64, 64, 1};
  die_in_claim(ring, slot, Died::after_intent);
  const std::uint64_t stale = view.codec().pack({false, 128, 2});
  PlainSharing sharing(view, slot);
  sharing.want();
  sharing.barrier_passed();
  REQUIRE_FALSE(sharing.over());

  close(view);
  retire(view, Place{64, 1}, [] {});
  if (when == Stores::before_the_decision) view.tail().store(stale);
  const std::vector<Claimant<Slot>> claimants{
      {.slot = &slot, .dead = false, .reached = true, .stores = !sharing.over()}};
  std::vector<Intention> snapshot(1);
  std::size_t culprit = 0;
  CHECK(decide<PartitionView, Slot>(view, claimants, snapshot, culprit,
                                    [](layout::VoidClaim&, std::size_t) {}) == Decision::decided);
  if (when == Stores::behind_it) view.tail().store(stale);
  PlainRing next;
  open_ring(next.view(), 1, [] { return std::uint64_t{77}; });
  REQUIRE(carry_over(view, next.view()));
  if (when == Stores::after_the_copy) view.tail().store(stale);
  CHECK(settled(next) == std::vector<std::string>{"-1"});
  CHECK(view.codec().unpack(next.tail->tail.load()).offset_low == 2);

  // It wakes up: it is told, and does not claim behind what nobody reads any more.
  slot.word.store(layout::pack_intent(64, Intent::owned));
  CHECK_FALSE(view.codec().unpack(view.tail().load()).closed);
  SECTION("it commits") {
    fill(view, claim.position, "late");
    CHECK_FALSE(owner.commit(claim));
    CHECK(owner.verdict(claim) == Verdict::voided);
  }
  SECTION("it gives up") {
    owner.abort(claim, 1);
  }
  CHECK(owner.try_claim(64, 1).status == Status::closed);
}

TEST_CASE("exclusive: an owner that finds itself fenced before its claim has made none", "[ring]") {
  PlainRing ring;
  ExclusiveSlot slot;
  PlainWriter owner(ring.view(), slot);
  PlainSharing sharing(ring.view(), slot);
  sharing.want();
  close(ring.view());
  retire(ring.view(), Place{0, 0}, [] {});
  CHECK(owner.try_claim(64, 1).status == Status::closed);
  CHECK(ring.tail_position() == 0);
}

}  // namespace ring_exclusive_test
