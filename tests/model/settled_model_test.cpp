#include <catch2/catch.hpp>

#include "ring/settled.hpp"

// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

constexpr unsigned kProducers = 2;

/// Two producers, of which one may be killed before any of its operations and is not repaired,
/// and a supervisor that looks at their slots.
struct Slots : rl::test_suite<Slots, kProducers + 1> {
  using Ring = ModelRing<8>;
  using View = ModelView<Ring>;
  Ring ring;
  std::array<ModelSlot, kProducers> slot{ModelSlot(0), ModelSlot(1)};
  Place place{0, 0};

  void before() {
    open_ring(View(ring), 0, [this] { return ring.draw(); });
    ring.supervisor = kProducers;
  }

  void produce(unsigned index) {
    Writer<View, ModelSlot> writer(View(ring), slot[index]);
    for (unsigned i = 0; i < 2; ++i) {
      const std::uint64_t units = 1 + rl::rand(2);
      const Claimed claim = writer.try_claim(units * kUnit, 1);
      if (claim.status != Status::ok) continue;
      if (rl::rand(4) == 0) {
        writer.abort(claim, 1);
        continue;
      }
      writer.view().store_header(claim.position, data_header(units * kUnit, claim.position));
      writer.commit(claim);
    }
  }

  void look() {
    const View view(ring);
    const std::array<Claimant<ModelSlot>, kProducers> claimants{
        {{&slot[0], false}, {&slot[1], false}}};
    const auto found = settled<View, ModelSlot>(view, claimants, place);
    if (!found) return;
    for (std::size_t i = 0; i < ring.claims; ++i) {
      if (ring.truth[i].position >= found->position) break;
      RL_ASSERT(ring.truth[i].state != Truth::State::open);
      // What is settled can be read without a look at its stamp.
      static_cast<void>(view.load_header(ring.truth[i].position));
    }
    Place walked = place;
    RL_ASSERT(walk(view, walked, found->position, [](const Place&, const auto&) {}) ==
              Found::nothing);
    RL_ASSERT(walked == *found);
    place = *found;
  }

  void thread(unsigned index) {
    if (index == 0) {
      mortal(24, [&] { produce(0); });
    } else if (index < kProducers) {
      produce(index);
    } else {
      for (unsigned round = 0; round < 4; ++round) look();
    }
  }
};

bool by_supervisor(const Access&) {
  return rl::thread_index() == kProducers;
}
bool is_word(const Access& access, layout::Intent state, layout::Intent before) {
  return access.name == Name::word && access.op == Op::store &&
         layout::intent_state(access.value) == state &&
         layout::intent_state(access.before) == before;
}
bool is_trying(const Access& access) {
  return is_word(access, layout::Intent::trying, layout::Intent::idle);
}
bool is_idle(const Access& access) {
  return is_word(access, layout::Intent::idle, layout::Intent::owned);
}
bool is_commit(const Access& access) {
  return access.name == Name::stamp && access.op == Op::store;
}

const RegisteredModel<Slots> sweep_slots("settled");

}  // namespace

TEST_CASE("model: what slots say is settled is, to the end, and seen", "[settled]") {
  CHECK(holds<Slots>("what is settled, by the slots", 200'000, 2, 50'000));
}

TEST_CASE("mutation: tail behind the slots is caught where they tell what is settled",
          "[settled]") {
  Early change(
      [](const Access& access) {
        return kind(Name::tail, Op::load)(access) && by_supervisor(access);
      },
      kind(Name::word, Op::load), 2);
  CHECK(caught<Slots>("tail behind the slots", change, 100'000));
}

TEST_CASE("mutation: INTENT after CLAIM is caught where slots tell what is settled",
          "[settled]") {
  Delay change(is_trying, kind(Name::tail, Op::cas));
  CHECK(caught<Slots>("INTENT after CLAIM", change, 100'000));
}

TEST_CASE("mutation: IDLE before COMMIT is caught where slots tell what is settled",
          "[settled]") {
  Delay change(is_commit, is_idle);
  CHECK(caught<Slots>("IDLE before COMMIT", change, 100'000));
}

TEST_CASE("mutation: IDLE relaxed is caught where slots tell what is settled", "[settled]") {
  Weaken change(std::memory_order::relaxed, is_idle);
  CHECK(caught<Slots>("IDLE relaxed", change, 100'000));
}

TEST_CASE("mutation: tail loaded relaxed is caught where slots tell what is settled",
          "[settled]") {
  Weaken change(std::memory_order::relaxed, [](const Access& access) {
    return kind(Name::tail, Op::load)(access) && by_supervisor(access);
  });
  CHECK(caught<Slots>("tail loaded relaxed", change, 100'000));
}

TEST_CASE("mutation: stamps loaded relaxed are caught where slots tell what is settled",
          "[settled]") {
  Weaken change(std::memory_order::relaxed, [](const Access& access) {
    return kind(Name::stamp, Op::load)(access) && by_supervisor(access);
  });
  CHECK(caught<Slots>("stamps loaded relaxed", change, 100'000));
}
