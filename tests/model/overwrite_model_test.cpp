#include <catch2/catch.hpp>

// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

using Ring = ModelRing<2>;
using Data = std::array<Word<std::uint64_t>, Ring::kUnits>;

/// On a topic that overwrites, records are read while they may be written: what relacy would call
/// a race is two relaxed accesses here, and whatever they give must be judged by still_there().
struct RacyView : ModelView<Ring> {
  RacyView(Ring& ring, Data& racing) : ModelView<Ring>(ring), data(&racing) {}

  Word<std::uint64_t>& racing(std::uint64_t position) const {
    return (*data)[Ring::unit_of(position)];
  }
  layout::RecordHeader load_header(std::uint64_t position) const noexcept {
    return data_header(kUnit, racing(position).load(std::memory_order::relaxed));
  }
  void store_header(std::uint64_t position, const layout::RecordHeader& header) const noexcept {
    racing(position).store(header.producer, std::memory_order::relaxed);
  }

  Data* data;
};

/// A producer goes round twice, limit follows what is committed, a reader sets no pin.
struct Overwrite : rl::test_suite<Overwrite, 3> {
  Ring ring;
  ModelSlot slot0{0}, slot1{1};
  Data data{Word<std::uint64_t>(Name::data, 0), Word<std::uint64_t>(Name::data, 1)};

  void before() {
    open_ring(RacyView(ring, data), 0, [this] { return ring.draw(); });
    ring.supervisor = 2;
  }

  void thread(unsigned index) {
    const RacyView view(ring, data);
    if (index == 0) {
      Writer<RacyView, ModelSlot> writer(view, slot0);
      for (unsigned tries = 0; tries < 8; ++tries) {
        const Claimed claim = writer.try_claim(kUnit, 1);
        if (claim.status != Status::ok) continue;
        view.store_header(claim.position, data_header(kUnit, claim.position / kUnit));
        writer.commit(claim);
      }
    }
    if (index == 1) {
      Reader<RacyView, ModelSlot> reader(view, slot1);
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

}  // namespace

TEST_CASE("model: a record overwritten while it was read is not taken for whole", "[model]") {
  CHECK(holds<Overwrite>("overwriting", 200'000, 2, 50'000));
}

TEST_CASE("mutation: still_there without its fence is caught", "[model]") {
  Drop change(kind(Name::read_fence, Op::fence));
  CHECK(caught<Overwrite>("still_there without its fence", change, 50'000));
}

TEST_CASE("mutation: records without the write fence are caught", "[model]") {
  Drop change(kind(Name::write_fence, Op::fence));
  CHECK(caught<Overwrite>("no write fence", change, 50'000));
}

TEST_CASE("mutation: overwriting with ANNOUNCE after RECLAIM is caught", "[model]") {
  Delay change(kind(Name::announced, Op::store, std::memory_order::seq_cst),
               kind(Name::limit, Op::store));
  CHECK(caught<Overwrite>("overwriting, ANNOUNCE after RECLAIM", change, 50'000));
}
