#include <catch2/catch.hpp>

// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

constexpr std::uint64_t kBaseOffset = 5;

/// Two producers go round a ring of `units` more than once, a consumer reads in place, the
/// supervisor flushes without a pin and hands space back. A second pin is hostile.
template <std::size_t units, std::uint64_t claim_units, Mapping mapping>
struct Laps : rl::test_suite<Laps<units, claim_units, mapping>, 4> {
  using Ring = ModelRing<units>;
  using View = ModelView<Ring>;
  static constexpr std::uint64_t kHostile = 1'000'000 * kUnit;

  Ring ring{mapping};
  ModelSlot slot0{0}, slot1{1}, slot2{2};
  Place flushed{0, kBaseOffset};

  void before() {
    open_ring(View(ring), kBaseOffset, [this] { return ring.draw(); });
    ring.offset_end = kBaseOffset;
    ring.supervisor = 3;
  }

  void produce(ModelSlot& slot) {
    Writer<View, ModelSlot> writer(View(ring), slot);
    unsigned done = 0;
    for (unsigned tries = 0; tries < 6 && done < 3; ++tries) {
      const std::uint64_t bytes = claim_units * kUnit;
      const Claimed claim = writer.try_claim(bytes, 1);
      RL_ASSERT(claim.status == Status::ok || claim.status == Status::back_pressured);
      if (claim.status != Status::ok) continue;
      ++done;
      RL_ASSERT(claim.offset == ring.claim_at(claim.first)->offset);
      writer.view().store_header(claim.position, data_header(bytes, claim.position / kUnit));
      for (std::uint64_t i = 1; i < claim_units; ++i) {
        writer.view().write(claim.position + i * kUnit, claim.position + i);
      }
      writer.commit(claim);
    }
  }

  void check(const Place& at, const layout::RecordHeader& header) {
    const bool filler = header.kind == static_cast<std::uint8_t>(layout::RecordKind::skip);
    const Truth* claim = ring.claim_at(at.position);
    if (claim != nullptr) {
      RL_ASSERT(claim->state == Truth::State::settled);
      RL_ASSERT(claim->offset == at.offset);
    } else {
      RL_ASSERT(mapping == Mapping::single && at.position % Ring::kBytes == 0);
    }
    if (filler) {
      RL_ASSERT(mapping == Mapping::single);
      return;
    }
    RL_ASSERT(header.producer == at.position / kUnit);
    RL_ASSERT(layout::record_bytes(header) == claim_units * kUnit);
    for (std::uint64_t i = 1; i < claim_units; ++i) {
      RL_ASSERT(View(ring).read(at.position + i * kUnit) == at.position + i);
    }
  }

  void consume() {
    Reader<View, ModelSlot> reader(View(ring), slot2);
    Place place{0, kBaseOffset};
    for (unsigned tries = 0; tries < 5; ++tries) {
      const std::uint64_t announced = reader.pin(place.position);
      if (announced == 0) {  // it is in the log
        const Truth* claim = ring.claim_around(place.position);
        RL_ASSERT(claim != nullptr && claim->position + claim->bytes <= flushed.position);
        place = {claim->position + claim->bytes, claim->offset + claim->offsets};
        continue;
      }
      const Place from = place;
      const auto visit = [this](const Place& at, const auto& header) { check(at, header); };
      RL_ASSERT(walk(reader.view(), place, announced, visit) == Found::nothing);
      Place again = from;  // records are used after the poll
      walk(reader.view(), again, place.position, visit);
      RL_ASSERT(again == place);
      if (rl::rand(2) == 0) reader.unpin();
    }
    reader.unpin();
  }

  void supervise() {
    const View view(ring);
    std::uint64_t limit = Ring::kBytes;
    for (unsigned round = 0; round < 6; ++round) {
      Place place = flushed;
      const std::uint64_t announced = view.announced().load(std::memory_order::relaxed);
      RL_ASSERT(walk(view, place, announced, [this](const Place& at, const auto& header) {
                  check(at, header);
                }) == Found::nothing);
      flushed = place;
      const LimitOutcome outcome = publish_limit(
          view, flushed, 2,
          [this](std::size_t i) {
            return i == 0 ? slot2.pin.load(std::memory_order::acquire) : kHostile;
          },
          [this] { return ring.draw(); });
      RL_ASSERT(outcome.hostile == 1);  // the honest one never
      RL_ASSERT(outcome.limit >= limit && outcome.limit <= flushed.position + Ring::kBytes);
      limit = outcome.limit;
    }
  }

  void thread(unsigned index) {
    if (index == 0) produce(slot0);
    if (index == 1) produce(slot1);
    if (index == 2) consume();
    if (index == 3) supervise();
  }

  /// Everything committed can be read.
  void after() {
    const View view(ring);
    const std::uint64_t tail =
        view.codec().unpack(ring.tail.load(std::memory_order::acquire)).position;
    walk(view, flushed, ring.announced.load(std::memory_order::acquire),
         [](const Place&, const auto&) {});
    RL_ASSERT(flushed.position == tail && flushed.offset == ring.offset_end);
    RL_ASSERT(slot2.pin.newest() == layout::kNoPin);  // nothing is held up for ever
  }
};

using Small = Laps<2, 1, Mapping::mirrored>;
using Wrapping = Laps<8, 3, Mapping::single>;

bool by_supervisor() {
  return rl::thread_index() == 3;
}

const RegisteredModel<Small> sweep_small("limit");
const RegisteredModel<Wrapping> sweep_wrapping("limit, filler");

}  // namespace

TEST_CASE("model: space is not reused while someone reads it, and offsets stay right", "[limit]") {
  CHECK(holds<Small>("limit, pin, flush, anchor", 150'000, 1, 50'000));
}

TEST_CASE("model: the same with filler at the end of the data area", "[limit]") {
  CHECK(holds<Wrapping>("limit, pin, flush, filler", 50'000, 1, 10'000));
}

TEST_CASE("mutation: RECLAIM, released relaxed, is caught", "[limit]") {
  Weaken change(std::memory_order::relaxed, kind(Name::limit, Op::store));
  CHECK(caught<Small>("RECLAIM, released relaxed", change, 50'000));
}

TEST_CASE("mutation: RECLAIM, acquired relaxed, is caught", "[limit]") {
  Weaken change(std::memory_order::relaxed, kind(Name::limit, Op::load));
  CHECK(caught<Small>("RECLAIM, acquired relaxed", change, 50'000));
}

TEST_CASE("mutation: PIN, not sequentially consistent, is caught", "[limit]") {
  Weaken change(std::memory_order::acq_rel, kind(Name::pin, Op::exchange));
  CHECK(caught<Small>("PIN acq_rel", change, 50'000));
}

TEST_CASE("mutation: ANNOUNCE, loaded acquire, is caught", "[limit]") {
  Weaken change(std::memory_order::acquire,
                kind(Name::announced, Op::load, std::memory_order::seq_cst));
  CHECK(caught<Small>("ANNOUNCE, loaded acquire", change, 50'000));
}

TEST_CASE("mutation: no full fence between ANNOUNCE and the pins is caught", "[limit]") {
  Drop change(kind(Name::full_fence, Op::fence));
  CHECK(caught<Small>("no full fence", change, 50'000));
}

TEST_CASE("mutation: ANNOUNCE after RECLAIM is caught", "[limit]") {
  Delay change(kind(Name::announced, Op::store, std::memory_order::seq_cst),
               kind(Name::limit, Op::store));
  CHECK(caught<Small>("ANNOUNCE after RECLAIM", change, 50'000));
}

TEST_CASE("mutation: UNPIN, released relaxed, is caught", "[limit]") {
  Weaken change(std::memory_order::relaxed, kind(Name::pin, Op::store));
  CHECK(caught<Small>("UNPIN relaxed", change, 50'000));
}

TEST_CASE("mutation: pins loaded relaxed are caught", "[limit]") {
  Weaken change(std::memory_order::relaxed, kind(Name::pin, Op::load));
  CHECK(caught<Small>("pins loaded relaxed", change, 50'000));
}

TEST_CASE("mutation: the tail that judges a pin, loaded before the pin, is caught", "[limit]") {
  Early change([](const Access& access) { return kind(Name::pin, Op::load)(access); },
               kind(Name::tail, Op::load), 1);
  CHECK(caught<Small>("tail before pins", change, 50'000));
}

TEST_CASE("mutation: nonces after RECLAIM are caught", "[limit]") {
  Delay change([](const Access& access) { return access.name == Name::nonce && by_supervisor(); },
               kind(Name::limit, Op::store));
  CHECK(caught<Small>("nonces after RECLAIM", change, 50'000));
}

TEST_CASE("mutation: the anchor loaded before the limit is caught", "[limit]") {
  Early change(kind(Name::limit, Op::load), kind(Name::anchor, Op::load), 1);
  CHECK(caught<Small>("anchor loaded before the limit", change, 50'000));
}

TEST_CASE("mutation: quarantine without a second look at tail is caught", "[limit]") {
  bool refreshed = false;
  Repeat change([&](const Access& access) {
    if (access.name == Name::limit) refreshed = true;
    if (access.name != Name::tail || by_supervisor()) return false;
    return std::exchange(refreshed, false);
  });
  CHECK(caught<Small>("no second look at tail", change, 50'000));
}
