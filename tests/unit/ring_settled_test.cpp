#include "ring/settled.hpp"

#include <array>
#include <catch2/catch.hpp>

#include "ring/retire.hpp"
#include "unit/ring_fixture.hpp"

namespace ring_settled_test {

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::test;
using layout::Intent;
using layout::Slot;

namespace {

/// Two producers, and what is settled of their ring.
struct Bench {
  std::optional<Place> look(Place from = {0, 0}) {
    const std::array<Claimant<Slot>, 2> all{{{&slots[0], false}, {&slots[1], false}}};
    return settled<PartitionView, Slot>(ring.view(), all, from);
  }

  PlainRing ring;
  Slot slots[2]{};
  PlainWriter one{ring.view(), slots[0]}, other{ring.view(), slots[1]};
};

}  // namespace

TEST_CASE("settled: all that was claimed, where no claim is open", "[ring]") {
  Bench bench;
  CHECK(bench.look() == Place{0, 0});
  publish_record(bench.one, "one");
  publish_record(bench.other, std::string(100, 'x'));
  CHECK(bench.look() == Place{bench.ring.tail_position(), 2});
  close(bench.ring.view());
  CHECK(bench.look(Place{64, 1}) == Place{bench.ring.tail_position(), 2});
}

TEST_CASE("settled: up to the first open claim, and its offset", "[ring]") {
  Bench bench;
  publish_record(bench.one, "one");
  const Claimed first = bench.other.try_claim(64, 1);
  const Claimed second = bench.one.try_claim(64, 3);
  CHECK(bench.look() == Place{first.position, 1});
  fill(bench.ring.view(), first.position, "first");
  bench.other.commit(first);
  CHECK(bench.look() == Place{second.position, 2});
  bench.one.abort(second, 3);
  CHECK(bench.look() == Place{bench.ring.tail_position(), 5});
}

TEST_CASE("settled: a slot that speaks of what is stamped keeps nothing back", "[ring]") {
  // Killed between its stamp and its slot; or tried where somebody else has claimed and finished.
  const auto said = GENERATE(Intent::owned, Intent::trying);
  Bench bench;
  publish_record(bench.one, "one");
  const std::uint64_t position = bench.ring.tail_position();
  publish_record(bench.one, "two");
  bench.slots[1].tail = bench.ring.view().codec().pack({false, position, 1});
  bench.slots[1].word = layout::pack_intent(position, said);
  CHECK(bench.look() == Place{bench.ring.tail_position(), 2});
  CHECK(bench.look(Place{position, 1}) == Place{bench.ring.tail_position(), 2});
}

TEST_CASE("settled: an intent at tail, or behind where the look begins, is no claim", "[ring]") {
  Bench bench;
  publish_record(bench.one, "one");
  const std::uint64_t end = bench.ring.tail_position();
  const std::uint64_t position = GENERATE_COPY(std::uint64_t{0}, end);
  bench.slots[1].tail = bench.ring.view().codec().pack({false, position, 0});
  bench.slots[1].word = layout::pack_intent(position, Intent::trying);
  CHECK(bench.look(Place{32, 1}) == Place{end, 1});
}

TEST_CASE("settled: says nothing where slots or tail say what no honest producer does", "[ring]") {
  Bench bench;
  publish_record(bench.one, "one");
  const Claimed open = bench.one.try_claim(64, 1);
  const auto codec = bench.ring.view().codec();
  CHECK(bench.look() == Place{open.position, 1});
  SECTION("a slot's tail is not at its place") {
    bench.slots[0].tail = codec.pack({false, open.position + 32, 1});
  }
  SECTION("more offsets than records can have used") {
    bench.slots[0].tail = codec.pack({false, open.position, 3});
  }
  SECTION("tail is ahead of what may be claimed") {
    bench.ring.tail->tail = codec.pack({false, PlainRing::kBytes + 32, 2});
  }
  SECTION("tail was put back") {
    CHECK_FALSE(bench.look(Place{bench.ring.tail_position() + 32, 2}));
    bench.slots[0].tail = 0;
  }
  CHECK_FALSE(bench.look());
}

TEST_CASE("settled: offsets beyond what a tail has bits for", "[ring]") {
  Bench bench;
  const std::uint64_t base = (std::uint64_t{1} << 40) - 1;
  bench.ring.tail->tail = bench.ring.view().codec().pack({false, 0, base});
  publish_record(bench.one, "one");
  publish_record(bench.one, "two");
  CHECK(bench.look(Place{0, base}) == Place{bench.ring.tail_position(), base + 2});
}

}  // namespace ring_settled_test
