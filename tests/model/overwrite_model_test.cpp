#include <catch2/catch.hpp>

// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

template <class Ring>
using Data = std::array<Word<std::uint64_t>, Ring::kUnits>;

/// On a topic that overwrites, records are read while they may be written: what relacy would call
/// a race is two relaxed accesses here, and whatever they give must be judged by still_there().
template <class Ring>
struct RacyView : ModelView<Ring> {
  RacyView(Ring& ring, Data<Ring>& racing) : ModelView<Ring>(ring), data(&racing) {}

  Word<std::uint64_t>& racing(std::uint64_t position) const {
    return (*data)[Ring::unit_of(position)];
  }
  layout::RecordHeader load_header(std::uint64_t position) const noexcept {
    const std::uint64_t both = racing(position).load(std::memory_order::relaxed);
    return data_header(both >> 32, static_cast<std::uint32_t>(both));
  }
  void store_header(std::uint64_t position, const layout::RecordHeader& header) const noexcept {
    racing(position).store(layout::record_bytes(header) << 32 | header.producer,
                           std::memory_order::relaxed);
  }

  /// Payload of one unit, `forged` where a stamp could stand.
  void write(std::uint64_t position, std::uint64_t forged) const {
    racing(position).store(kUnit << 32, std::memory_order::relaxed);
    this->stamp(position).store(forged, std::memory_order::relaxed);
  }

  Data<Ring>* data;
};

/// A producer goes round twice, limit follows what is committed, a reader sets no pin.
struct Overwrite : rl::test_suite<Overwrite, 3> {
  using Ring = ModelRing<2>;
  using View = RacyView<Ring>;
  Ring ring;
  ModelSlot slot0{0}, slot1{1};
  Data<Ring> data{Word<std::uint64_t>(Name::data, 0), Word<std::uint64_t>(Name::data, 1)};

  void before() {
    open_ring(View(ring, data), 0, [this] { return ring.draw(); });
    ring.supervisor = 2;
  }

  void thread(unsigned index) {
    const View view(ring, data);
    if (index == 0) {
      Writer<View, ModelSlot> writer(view, slot0);
      for (unsigned tries = 0; tries < 8; ++tries) {
        const Claimed claim = writer.try_claim(kUnit, 1);
        if (claim.status != Status::ok) continue;
        view.store_header(claim.position, data_header(kUnit, claim.position / kUnit));
        writer.commit(claim);
      }
    }
    if (index == 1) {
      Reader<View, ModelSlot> reader(view, slot1);
      Place place{0, 0};
      for (unsigned tries = 0; tries < 6; ++tries) {
        const std::uint64_t announced = reader.look(place.position);
        if (announced == 0) {
          place = {place.position + kUnit, place.offset + 1};
          continue;
        }
        layout::RecordHeader header;
        if (peek(view, place.position, header) == Found::nothing) continue;
        if (!reader.still_there(place.position)) continue;
        RL_ASSERT(header.producer == place.position / kUnit);
        place.pass(header);
      }
    }
    if (index == 2) {
      Place committed{0, 0};
      for (unsigned round = 0; round < 5; ++round) {
        walk(view, committed, view.announced().load(std::memory_order::relaxed),
             [](const Place&, const auto&) {});
        publish_limit(
            view, committed, 0, [](std::size_t) { return layout::kNoPin; },
            [this] { return ring.draw(); });
      }
    }
  }
};

/// The same where records carry the stamp that their inner unit would have as a record one lap
/// later, as far as their producer can know it.
struct OverwriteForged : rl::test_suite<OverwriteForged, 3> {
  using Ring = ModelRing<4>;
  using View = RacyView<Ring>;
  Ring ring;
  ModelSlot slot0{0}, slot1{1};
  Data<Ring> data{Word<std::uint64_t>(Name::data, 0), Word<std::uint64_t>(Name::data, 1),
                  Word<std::uint64_t>(Name::data, 2), Word<std::uint64_t>(Name::data, 3)};

  void before() {
    open_ring(View(ring, data), 0, [this] { return ring.draw(); });
    ring.supervisor = 2;
  }

  void produce() {
    const View view(ring, data);
    Writer<View, ModelSlot> writer(view, slot0);
    const auto publish = [&](std::uint64_t units, bool committed) {
      for (unsigned tries = 0; tries < 4; ++tries) {
        const Claimed claim = writer.try_claim(units * kUnit, 1);
        if (claim.status != Status::ok) continue;
        if (!committed) return true;
        view.store_header(claim.position, data_header(units * kUnit, claim.position / kUnit));
        if (units == 2) {
          const std::uint64_t inside = claim.position + kUnit;
          view.write(inside, current_stamp(view, inside + Ring::kBytes));
        }
        writer.commit(claim);
        return true;
      }
      return false;
    };
    if (!publish(2, true) || !publish(2, true) || !publish(1, true)) return;
    publish(1, rl::rand(2) == 0);
  }

  void consume() {
    Reader<View, ModelSlot> reader(View(ring, data), slot1);
    Place place{0, 0};
    for (unsigned tries = 0; tries < 6; ++tries) {
      const std::uint64_t announced = reader.look(place.position);
      if (announced == 0) {
        const Truth* claim = ring.claim_at(place.position);
        place = {claim->position + claim->bytes, claim->offset + claim->offsets};
        continue;
      }
      layout::RecordHeader header;
      if (place.position >= announced) continue;  // as walk() does
      if (peek(reader.view(), place.position, header) != Found::record) continue;
      if (!reader.still_there(place.position)) continue;
      const Truth* claim = ring.claim_at(place.position);
      RL_ASSERT(claim != nullptr && claim->state == Truth::State::settled);
      RL_ASSERT(header.producer == place.position / kUnit);
      place.pass(header);
    }
  }

  void supervise() {
    const View view(ring, data);
    Place committed{0, 0};
    for (unsigned round = 0; round < 4; ++round) {
      walk(view, committed, view.announced().load(std::memory_order::relaxed),
           [](const Place&, const auto&) {});
      Place reusable = committed;  // rounded down to less than a record, as pages do
      if (reusable.position > 0 && rl::rand(2) == 0) {
        reusable = {reusable.position - kUnit, reusable.offset - 1};
      }
      publish_limit(
          view, reusable, 0, [](std::size_t) { return layout::kNoPin; },
          [this] { return ring.draw(); });
    }
  }

  void thread(unsigned index) {
    if (index == 0) produce();
    if (index == 1) consume();
    if (index == 2) supervise();
  }
};

const RegisteredModel<OverwriteForged> sweep_overwrite_forged("overwrite, forged");
const RegisteredModel<Overwrite> sweep_overwrite("overwrite");

}  // namespace

TEST_CASE("model: a record overwritten while it was read is not taken for whole", "[overwrite]") {
  CHECK(holds<Overwrite>("overwriting", 200'000, 2, 50'000));
}

TEST_CASE("model: an old stamp is no record where nobody pins, either", "[overwrite]") {
  CHECK(holds<OverwriteForged>("overwriting, forged stamps", 100'000, 1, 20'000));
}

TEST_CASE("mutation: still_there without its fence is caught", "[overwrite]") {
  Drop change(kind(Name::read_fence, Op::fence));
  CHECK(caught<Overwrite>("still_there without its fence", change, 50'000));
}

TEST_CASE("mutation: records without the write fence are caught", "[overwrite]") {
  Drop change(kind(Name::write_fence, Op::fence));
  CHECK(caught<Overwrite>("no write fence", change, 50'000));
}

TEST_CASE("mutation: overwriting with ANNOUNCE after RECLAIM is caught", "[overwrite]") {
  Delay change(kind(Name::announced, Op::store, std::memory_order::seq_cst),
               kind(Name::limit, Op::store));
  CHECK(caught<Overwrite>("overwriting, ANNOUNCE after RECLAIM", change, 50'000));
}
