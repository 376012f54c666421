#include <catch2/catch.hpp>

// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

using Ring = ModelRing<8>;
using View = ModelView<Ring>;

const Ring* current = nullptr;

/// Two producers with two claims each, one an abort and one a batch, and a consumer that follows.
struct Follow : rl::test_suite<Follow, 3> {
  Ring ring;
  ModelSlot slot0{0}, slot1{1}, slot2{2};

  void before() {
    current = &ring;
    open_ring(View(ring), 5, [this] { return ring.draw(); });
    ring.offset_end = 5;
  }

  void produce(ModelSlot& slot, unsigned id) {
    Writer<View, ModelSlot> writer(View(ring), slot);
    for (unsigned i = 0; i < 2; ++i) {
      const std::uint64_t bytes = (1 + id) * kUnit;
      const bool batch = id == 1 && i == 1;
      const Claimed claim = writer.try_claim(bytes, batch ? 2 : 1);
      RL_ASSERT(claim.status == Status::ok);
      RL_ASSERT(claim.offset == ring.claim_at(claim.first)->offset);
      if (i == 1 && id == 0) {
        writer.abort(claim, 1);
        continue;
      }
      const std::uint64_t second = claim.position + kUnit;
      writer.view().store_header(claim.position, data_header(batch ? kUnit : bytes, id));
      if (batch) {
        writer.view().store_header(second, data_header(kUnit, id));
        writer.stamp_inner(second);
      } else if (id == 1) {
        writer.view().write(second, 1000 + claim.offset);
      }
      writer.commit(claim);
    }
  }

  void consume() {
    Reader<View, ModelSlot> reader(View(ring), slot2);
    Place place{0, 5};
    for (unsigned tries = 0; tries < 4; ++tries) {
      const std::uint64_t announced = reader.pin(place.position);
      RL_ASSERT(announced == Ring::kBytes);
      const Found found =
          walk(reader.view(), place, announced, [&](const Place& at, const auto& header) {
            const Truth* claim = ring.claim_around(at.position);
            RL_ASSERT(claim != nullptr && claim->state == Truth::State::settled);
            const bool inner = at.position != claim->position;
            RL_ASSERT(at.offset == claim->offset + (inner ? 1 : 0));
            if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::skip)) return;
            RL_ASSERT(header.producer == claim->owner);
            if (layout::record_bytes(header) == 2 * kUnit) {
              RL_ASSERT(reader.view().read(at.position + kUnit) == 1000 + at.offset);
            }
          });
      RL_ASSERT(found == Found::nothing);
      const Truth* open = ring.claim_around(place.position);
      RL_ASSERT(open == nullptr || open->position == place.position);  // batches appear at once
      reader.unpin();
    }
  }

  void thread(unsigned index) {
    if (index == 0) produce(slot0, 0);
    if (index == 1) produce(slot1, 1);
    if (index == 2) consume();
  }

  void after() { RL_ASSERT(ring.claims == 4 && ring.offset_end == 10); }
};

const RegisteredModel<Follow> sweep_follow("claim");

}  // namespace

TEST_CASE("model: a consumer sees whole records only, in claim order", "[claim]") {
  CHECK(holds<Follow>("claim, commit, poll", 100'000, 2, 50'000));
}

TEST_CASE("mutation: COMMIT, released relaxed, is caught", "[claim]") {
  Weaken change(std::memory_order::relaxed,
                kind(Name::stamp, Op::store, std::memory_order::release));
  CHECK(caught<Follow>("COMMIT, released relaxed", change, 20'000));
}

TEST_CASE("mutation: the first stamp of a batch before the inner ones is caught", "[claim]") {
  Delay change(
      [](const Access& access) {
        return kind(Name::stamp, Op::store)(access) &&
               current->claim_at(access.index * kUnit) == nullptr;
      },
      kind(Name::word, Op::store));
  CHECK(caught<Follow>("first stamp of a batch first", change, 20'000));
}

TEST_CASE("mutation: COMMIT, acquired relaxed, is caught", "[claim]") {
  Weaken change(std::memory_order::relaxed, kind(Name::stamp, Op::load));
  CHECK(caught<Follow>("COMMIT, acquired relaxed", change, 20'000));
}
