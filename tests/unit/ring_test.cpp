#include <catch2/catch.hpp>

#include "unit/ring_fixture.hpp"

namespace ring_test {

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::test;
using layout::Intent;
using layout::Slot;

namespace {

/// Everything settled from `place` on, as text; skips as "-n".
std::vector<std::string> settled(PlainRing& ring, Place place = {0, 0}) {
  std::vector<std::string> out;
  walk(ring.view(), place, ring.board->announced.load(),
       [&](const Place& at, const layout::RecordHeader& header) {
         if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::skip)) {
           out.push_back("-" + std::to_string(header.producer));
         } else {
           out.push_back(payload_at(ring.view(), at.position, header));
         }
       });
  return out;
}

Place end_of(PlainRing& ring) {
  Place place{0, 0};
  walk(ring.view(), place, ring.board->announced.load(), [](auto&, auto&) {});
  return place;
}

RepairOutcome repair_slots(PlainRing& ring, const std::vector<Claimant<Slot>>& claimants,
                           std::size_t victim) {
  std::vector<Intention> snapshot(claimants.size());
  return repair<PartitionView, Slot>(ring.view(), claimants, victim, snapshot);
}

}  // namespace

TEST_CASE("claim: records get offsets 0, 1, 2 in claim order and are seen in it", "[ring]") {
  PlainRing ring;
  Slot a{}, b{};
  PlainWriter first(ring.view(), a), second(ring.view(), b);
  const Claimed early = first.try_claim(64, 1);
  const Claimed late = publish_record(second, "late");
  CHECK(early.offset == 0);
  CHECK(late.offset == 1);
  CHECK(settled(ring).empty());  // nothing passes an open claim
  fill(ring.view(), early.position, "early");
  first.commit(early);
  CHECK(settled(ring) == std::vector<std::string>{"early", "late"});
}

TEST_CASE("claim: back pressured at the limit, and nothing was consumed", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  for (int i = 0; i < 4; ++i) {
    const Claimed claim = writer.try_claim(PlainRing::kBytes / 4, 1);
    CHECK(claim.status == Status::ok);
    writer.abort(claim, 1);
  }
  const auto tail = ring.tail->tail.load();
  CHECK(writer.try_claim(32, 1).status == Status::back_pressured);
  CHECK(ring.tail->tail.load() == tail);
  CHECK(slot.word.load() == 0);
  ring.publish({PlainRing::kBytes / 4, 1});
  const Claimed claim = writer.try_claim(32, 1);
  CHECK(claim.status == Status::ok);
  CHECK(claim.offset == 4);
}

TEST_CASE("claim: a closed tail refuses and takes no space", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  ring.tail->tail.fetch_or(layout::TailCodec::kClosed);
  CHECK(writer.try_claim(32, 1).status == Status::closed);
}

TEST_CASE("claim: a tail more than a lap behind the limit is quarantined", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  ring.board->limit.store(10 * PlainRing::kBytes);
  ring.board->announced.store(10 * PlainRing::kBytes);
  CHECK(writer.try_claim(32, 1).status == Status::quarantined);
}

TEST_CASE("claim: with one mapping a record that would wrap gets filler before it", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  Place reusable{0, 0};
  for (int i = 0; i < 3; ++i) publish_record(writer, std::string(PlainRing::kBytes / 4 - 32, 'x'));
  publish_record(writer, std::string(PlainRing::kBytes / 4 - 128, 'y'));  // 96 bytes are left
  reusable = end_of(ring);
  ring.publish({PlainRing::kBytes / 2, 2});
  const Claimed claim = publish_record(writer, std::string(100, 'z'));
  REQUIRE(claim.status == Status::ok);
  CHECK(claim.first == PlainRing::kBytes - 96);
  CHECK(claim.position == PlainRing::kBytes);
  CHECK(claim.offset == 4);
  CHECK(settled(ring, reusable) == std::vector<std::string>{"-0", std::string(100, 'z')});
  CHECK(end_of(ring).offset == 0);  // position 0 was announced for reuse: its stamp is void
}

TEST_CASE("batch: several records under one claim appear at once", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  const Claimed claim = writer.try_claim(64 + 64 + 32, 3);
  fill(ring.view(), claim.position, "one");
  fill(ring.view(), claim.position + 64, "two");
  ring.view().store_header(claim.position + 128, layout::skip_header(32, 1));
  writer.stamp_inner(claim.position + 64);
  writer.stamp_inner(claim.position + 128);
  CHECK(settled(ring).empty());
  writer.commit(claim);
  CHECK(settled(ring) == std::vector<std::string>{"one", "two", "-1"});
  CHECK(publish_record(writer, "next").offset == 3);
}

TEST_CASE("abort: uses up the offsets and is skipped", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  writer.abort(writer.try_claim(128, 2), 2);
  CHECK(publish_record(writer, "after").offset == 2);
  CHECK(settled(ring) == std::vector<std::string>{"-2", "after"});
}

TEST_CASE("pin: holds the limit, and a pin that left the window does not", "[ring]") {
  PlainRing ring;
  Slot producer{}, consumer{};
  PlainWriter writer(ring.view(), producer);
  PlainReader reader(ring.view(), consumer);
  for (int i = 0; i < 4; ++i) publish_record(writer, std::string(PlainRing::kBytes / 4 - 32, 'x'));
  CHECK(reader.pin(0) == PlainRing::kBytes);
  const LimitOutcome held = ring.publish({PlainRing::kBytes, 4}, {consumer.pin.load()});
  CHECK(held.limit == PlainRing::kBytes);
  CHECK(held.pinned_by == 0);
  CHECK(reader.pin(0) == 0);  // announced for reuse: go to the log
  CHECK(consumer.pin.load() == layout::kNoPin);
  CHECK(ring.publish({PlainRing::kBytes, 4}, {consumer.pin.load()}).limit == 2 * PlainRing::kBytes);
  CHECK(ring.publish({PlainRing::kBytes, 4}, {0}).pinned_by == kNobody);
}

TEST_CASE("pin: one beyond tail is hostile, ignored and counted", "[ring]") {
  PlainRing ring;
  Slot producer{};
  PlainWriter writer(ring.view(), producer);
  publish_record(writer, "x");
  const LimitOutcome outcome = ring.publish({64, 1}, {1 << 20, 0});
  CHECK(outcome.hostile == 1);
  CHECK(outcome.limit == PlainRing::kBytes);
}

TEST_CASE("limit: is never lowered", "[ring]") {
  PlainRing ring;
  Slot producer{};
  PlainWriter writer(ring.view(), producer);
  for (int i = 0; i < 4; ++i) publish_record(writer, std::string(PlainRing::kBytes / 4 - 32, 'x'));
  const auto high = ring.publish({PlainRing::kBytes, 4}).limit;
  CHECK(ring.publish({0, 0}).limit == high);
}

TEST_CASE("limit: an older place moves neither limit nor anchor, and offsets stay right",
          "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  const auto fill_lap = [&] {
    for (int i = 0; i < 2048; ++i) REQUIRE(publish_record(writer, "").status == Status::ok);
  };
  fill_lap();
  ring.publish({PlainRing::kBytes, 2048});
  fill_lap();
  ring.publish({2 * PlainRing::kBytes, 4096});
  ring.publish({0, 0});  // by a supervisor that begins again from what is surely durable
  Slot another{};
  PlainWriter late(ring.view(), another);
  CHECK(publish_record(late, "").offset == 4096);
}

TEST_CASE("reader: bytes of an earlier lap never look committed", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  for (int lap = 0; lap < 70; ++lap) {
    Place place = end_of(ring);
    for (int i = 0; i < 8; ++i) {
      REQUIRE(publish_record(writer, std::string(PlainRing::kBytes / 8 - 32, 'x')).status ==
              Status::ok);
    }
    const Place begin{static_cast<std::uint64_t>(lap) * PlainRing::kBytes,
                      static_cast<std::uint64_t>(lap) * 8};
    place = begin;
    walk(ring.view(), place, ring.board->announced.load(), [](auto&, auto&) {});
    CHECK(place.offset == begin.offset + 8);
    ring.publish(place);
    layout::RecordHeader header;
    for (int i = 0; i < 8; ++i) {
      CHECK(peek(ring.view(), place.position + i * (PlainRing::kBytes / 8), header) ==
            Found::nothing);
    }
  }
}

TEST_CASE("overwrite: a look that was overtaken says so", "[ring]") {
  PlainRing ring;
  Slot slot{}, consumer{};
  PlainWriter writer(ring.view(), slot);
  PlainReader reader(ring.view(), consumer);
  publish_record(writer, "x");
  CHECK(reader.look(0) != 0);
  CHECK(reader.still_there(0));
  ring.publish({PlainRing::kBytes / 8, 1});
  CHECK_FALSE(reader.still_there(0));
  CHECK(reader.look(0) == 0);
}

TEST_CASE("peek: a stamp over an impossible header is corrupt", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  const Claimed claim = writer.try_claim(64, 1);
  layout::RecordHeader header{};
  header.kind = 77;
  ring.view().store_header(claim.position, header);
  writer.commit(claim);
  CHECK(peek(ring.view(), claim.position, header) == Found::corrupt);
}

TEST_CASE("stride: goes from record to record as a peek at each does", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  for (const char* payload : {"one", "two", "three and so on, far into another unit", "six", ""}) {
    publish_record(writer, payload);
  }
  writer.abort(writer.try_claim(64, 1), 1);
  writer.abort(writer.try_claim(64, 2), 2);  // as long, with more offsets
  publish_record(writer, "ten");
  publish_record(writer, "end");
  Stride stride(PlainRing::kBytes);
  Place place{0, 0};
  layout::RecordHeader header;
  int found = 0;
  for (; peek(ring.view(), place.position, header) == Found::record; ++found) {
    REQUIRE(stride.peek(ring.view(), place.position) == Found::record);
    CHECK(stride.bytes() == layout::record_bytes(header));
    CHECK(stride.data() == (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)));
    CHECK(layout::header_of(stride.words()).producer == header.producer);
    place.pass(header);
  }
  CHECK(found == 9);
  CHECK(stride.peek(ring.view(), place.position) == Found::nothing);
}

TEST_CASE("stride: what looks like nothing, or like the record before, is not believed", "[ring]") {
  PlainRing ring;
  Slot slot{};
  PlainWriter writer(ring.view(), slot);
  publish_record(writer, "sound");
  writer.abort(writer.try_claim(64, 1), 1);
  const Claimed claim = publish_record(writer, "sound");
  Stride fresh(PlainRing::kBytes), used(PlainRing::kBytes);
  CHECK(used.peek(ring.view(), 0) == Found::record);
  for (const bool over_a_skip : {false, true}) {
    if (over_a_skip) CHECK(used.peek(ring.view(), 64) == Found::record);
    layout::RecordHeader header{};
    ring.view().store_header(claim.first, header);  // of no kind
    CHECK(fresh.peek(ring.view(), claim.first) == Found::corrupt);
    CHECK(used.peek(ring.view(), claim.first) == Found::corrupt);
    header.payload_bytes = 5;
    ring.view().store_header(claim.first, header);
    CHECK(used.peek(ring.view(), claim.first) == Found::corrupt);
    header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
    header.payload_bytes = 1u << 31;
    ring.view().store_header(claim.first, header);
    CHECK(used.peek(ring.view(), claim.first) == Found::corrupt);
  }
}

TEST_CASE("repair: an owned claim becomes a skip of its length, and records behind it appear",
          "[repair]") {
  PlainRing ring;
  Slot dead{}, live{};
  PlainWriter victim(ring.view(), dead), other(ring.view(), live);
  victim.try_claim(96, 2);
  publish_record(other, "behind");
  const auto outcome = repair_slots(ring, {{&dead, true}, {&live, false}}, 0);
  CHECK(outcome.step == RepairStep::finished);
  CHECK(outcome.bytes == 96);
  CHECK(outcome.offsets == 2);
  CHECK(settled(ring) == std::vector<std::string>{"-2", "behind"});
}

TEST_CASE("repair: an idle, a finished and a never won intent free the slot only", "[repair]") {
  PlainRing ring;
  Slot dead{}, live{};
  PlainWriter victim(ring.view(), dead), other(ring.view(), live);
  CHECK(repair_slots(ring, {{&dead, true}}, 0).step == RepairStep::freed);
  const Claimed done = publish_record(victim, "done");
  dead.word.store(layout::pack_intent(done.position, Intent::owned));  // killed before IDLE
  CHECK(repair_slots(ring, {{&dead, true}}, 0).step == RepairStep::freed);
  dead.word.store(layout::pack_intent(ring.tail_position(), Intent::trying));  // before the CAS
  CHECK(repair_slots(ring, {{&dead, true}}, 0).step == RepairStep::freed);
  CHECK(settled(ring) == std::vector<std::string>{"done"});
}

TEST_CASE("repair: killed between CAS and OWN, the boundary rule finds its length", "[repair]") {
  PlainRing ring;
  Slot dead{}, live{};
  PlainWriter victim(ring.view(), dead), other(ring.view(), live);
  const Claimed claim = victim.try_claim(96, 1);
  dead.word.store(layout::pack_intent(claim.position, Intent::trying));
  SECTION("tail is the boundary") {
    CHECK(repair_slots(ring, {{&dead, true}, {&live, false}}, 0).bytes == 96);
  }
  SECTION("the next claim's stamp is") {
    publish_record(other, "next");
    CHECK(repair_slots(ring, {{&dead, true}, {&live, false}}, 0).bytes == 96);
    CHECK(settled(ring) == std::vector<std::string>{"-1", "next"});
  }
  SECTION("the next claim's intent is") {
    other.try_claim(64, 1);
    Slot third{};
    PlainWriter(ring.view(), third).try_claim(64, 1);
    CHECK(repair_slots(ring, {{&dead, true}, {&live, false}, {&third, false}}, 0).bytes == 96);
  }
}

TEST_CASE("repair: a loser of the same position does not harm the winner", "[repair]") {
  PlainRing ring;
  Slot dead{}, live{};
  PlainWriter winner(ring.view(), live);
  dead.length.store(layout::pack_length(64, 1));
  dead.word.store(layout::pack_intent(0, Intent::trying));
  SECTION("the winner owns") {
    winner.try_claim(96, 1);
    CHECK(repair_slots(ring, {{&dead, true}, {&live, false}}, 0).step == RepairStep::freed);
  }
  SECTION("the winner, of another length, has not said so yet") {
    winner.try_claim(96, 1);
    live.word.store(layout::pack_intent(0, Intent::trying));
    CHECK(repair_slots(ring, {{&dead, true}, {&live, false}}, 0).step == RepairStep::freed);
  }
  SECTION("the winner, of the same length, has not said so yet") {
    winner.try_claim(64, 1);
    live.word.store(layout::pack_intent(0, Intent::trying));
    CHECK(repair_slots(ring, {{&dead, true}, {&live, false}}, 0).step == RepairStep::again);
    CHECK(repair_slots(ring, {{&dead, true}, {&live, true}}, 0).step == RepairStep::finished);
  }
  CHECK(settled(ring).size() <= 1);
}

TEST_CASE("repair: of two dead rivals of one length the offsets tell the winner", "[repair]") {
  PlainRing ring;
  Slot one{}, two{}, live{};
  PlainWriter winner(ring.view(), two), other(ring.view(), live);
  winner.try_claim(64, 2);
  two.word.store(layout::pack_intent(0, Intent::trying));  // killed before OWN
  one.length.store(layout::pack_length(64, 1));            // killed before or after its CAS failed
  one.word.store(layout::pack_intent(0, Intent::trying));
  SECTION("told by tail") {}
  SECTION("told by the next claim's intent") {
    other.try_claim(32, 1);
  }
  SECTION("told by tail, behind a committed record") {
    publish_record(other, "next");
  }
  const std::vector<Claimant<Slot>> slots{{&one, true}, {&two, true}, {&live, false}};
  CHECK(repair_slots(ring, slots, 0).step == RepairStep::freed);
  CHECK(repair_slots(ring, slots, 1).step == RepairStep::finished);
  CHECK(settled(ring).at(0) == "-2");
}

TEST_CASE("repair: an impossible intent is hostile and changes nothing", "[repair]") {
  PlainRing ring;
  Slot dead{}, live{};
  PlainWriter(ring.view(), live).try_claim(64, 1);
  dead.word.store(layout::pack_intent(32, Intent::owned));
  dead.length.store(layout::pack_length(PlainRing::kBytes, 1));
  CHECK(repair_slots(ring, {{&dead, true}, {&live, false}}, 0).step == RepairStep::hostile);
}

}  // namespace ring_test
