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
constexpr unsigned kProducers = 3;

bool take_the_living_for_dead = false;
const Ring* current = nullptr;

/// No unit is used twice here.
bool starts_claim(unsigned unit) {
  return current->claim_at(unit * kUnit) != nullptr;
}

/// What is claimed: anything, or batches against single records, for faults that need those.
enum class Sizes { any, batch_against_single };

/// Producers 0 and 1 may be killed before any of their operations, producer 2 lives. The
/// supervisor repairs, and is itself killed and started again now and then.
template <Sizes sizes>
struct Killed : rl::test_suite<Killed<sizes>, kProducers + 1> {
  Ring ring;
  std::array<ModelSlot, kProducers> slot{ModelSlot(0), ModelSlot(1), ModelSlot(2)};
  std::array<Word<std::uint32_t>, kProducers> death = {Word<std::uint32_t>(Name::death, 0),
                                                       Word<std::uint32_t>(Name::death, 1),
                                                       Word<std::uint32_t>(Name::death, 2)};
  std::array<bool, kProducers> freed{};

  void before() {
    current = &ring;
    open_ring(View(ring), 0, [this] { return ring.draw(); });
    ring.supervisor = kProducers;
  }

  void claim_and_commit(Writer<View, ModelSlot>& writer, unsigned index, bool may_give_up) {
    const std::uint64_t units = sizes == Sizes::any ? 1 + rl::rand(2) : 2 - index % 2;
    const bool batch = units == 2 && (sizes != Sizes::any || rl::rand(2) == 0);
    const Claimed claim = writer.try_claim(units * kUnit, batch ? 2 : 1);
    if (claim.status != Status::ok) return;
    if (may_give_up && rl::rand(4) == 0) return writer.abort(claim, batch ? 2 : 1);
    if (batch) {
      writer.view().store_header(claim.position, data_header(kUnit, claim.position));
      writer.view().store_header(claim.position + kUnit,
                                 data_header(kUnit, claim.position + kUnit));
      writer.stamp_inner(claim.position + kUnit);
    } else {
      writer.view().store_header(claim.position, data_header(units * kUnit, claim.position));
      if (units == 2) {  // what it says looks like a record there, to whoever may look
        const std::uint64_t inside = claim.position + kUnit;
        writer.view().write(inside, 7, current_stamp(writer.view(), inside));
      }
    }
    writer.commit(claim);
  }

  void produce(unsigned index) {
    const auto work = [&] {
      Writer<View, ModelSlot> writer(View(ring), slot[index]);
      claim_and_commit(writer, index, sizes == Sizes::any);
      if (index != 1) claim_and_commit(writer, index, sizes == Sizes::any);
    };
    if (index == 2) {
      work();
      return consume();
    }
    if (mortal(28, work)) return;
    ring.gone[index] = true;
    death[index].store(1, std::memory_order::release);
  }

  /// The living one reads what is there, skips of the supervisor included.
  void consume() {
    Place place{0, 0};
    const Found found = walk(View(ring), place, Ring::kBytes, [this](const Place& at, const auto&) {
      const Truth* claim = ring.claim_around(at.position);
      RL_ASSERT(claim != nullptr && claim->state != Truth::State::open);
    });
    RL_ASSERT(found == Found::nothing);
  }

  /// One attempt; true when the slot may be given away.
  bool settle(unsigned victim) {
    std::array<Claimant<ModelSlot>, kProducers> claimants;
    std::array<Intention, kProducers> snapshot;
    for (unsigned i = 0; i < kProducers; ++i) {
      claimants[i] = {&slot[i], take_the_living_for_dead || i == victim ||
                                    death[i].load(std::memory_order::acquire) == 1};
    }
    const RepairOutcome outcome = repair<View, ModelSlot>(View(ring), claimants, victim, snapshot);
    RL_ASSERT(outcome.step != RepairStep::hostile);
    if (outcome.step == RepairStep::again || outcome.step == RepairStep::nobody) return false;
    for (std::size_t i = 0; i < ring.claims; ++i) {
      if (ring.truth[i].owner == victim) RL_ASSERT(ring.truth[i].state != Truth::State::open);
    }
    return true;
  }

  void supervise() {
    for (unsigned round = 0; round < 6; ++round) {
      for (unsigned victim = 0; victim < 2; ++victim) {
        if (freed[victim] || death[victim].load(std::memory_order::acquire) == 0) continue;
        mortal(60, [&] { freed[victim] = settle(victim) && rl::rand(4) != 0; });
      }
    }
  }

  void thread(unsigned index) {
    if (index < kProducers) produce(index);
    if (index == kProducers) supervise();
  }

  /// When all is quiet, nothing is left open and everything committed is seen.
  void after() {
    ring.supervisor = rl::thread_index();
    for (unsigned victim = 0; victim < 2; ++victim) {
      if (ring.gone[victim] && !freed[victim]) RL_ASSERT(settle(victim));
    }
    const View view(ring);
    Place place{0, 0};
    RL_ASSERT(walk(view, place, ring.announced.load(std::memory_order::acquire),
                   [this](const Place& at, const layout::RecordHeader& header) {
                     const Truth* claim = ring.claim_at(at.position);
                     if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) {
                       RL_ASSERT(claim == nullptr || claim->state == Truth::State::settled);
                       RL_ASSERT(header.producer == at.position);
                     } else {
                       RL_ASSERT(claim != nullptr);
                     }
                   }) == Found::nothing);
    const auto tail = view.codec().unpack(ring.tail.load(std::memory_order::acquire)).position;
    RL_ASSERT(place.position == tail && place.offset == ring.offset_end);
  }
};

using Deaths = Killed<Sizes::any>;
using Rivals = Killed<Sizes::batch_against_single>;

bool by_repair(const Access&) {
  return rl::thread_index() == kProducers;
}
bool is_intent(const Access& access, layout::Intent state) {
  return access.name == Name::word && access.op == Op::store &&
         layout::intent_state(access.value) == state;
}
bool is_trying(const Access& access) {
  return is_intent(access, layout::Intent::trying);
}
bool is_owned(const Access& access) {
  return is_intent(access, layout::Intent::owned);
}
bool is_idle(const Access& access) {
  return is_intent(access, layout::Intent::idle) &&
         layout::intent_state(access.before) == layout::Intent::owned;
}

bool is_blank(const Access& access) {
  return is_intent(access, layout::Intent::idle) &&
         layout::intent_state(access.before) == layout::Intent::trying;
}

bool is_stamp(const Access& access) {
  return access.name == Name::stamp && access.op == Op::store && !by_repair(access);
}
bool is_inner_stamp(const Access& access) {
  return is_stamp(access) && !starts_claim(access.index);
}
bool is_commit(const Access& access) {
  return is_stamp(access) && starts_claim(access.index);
}

/// Catches a weaker order, or does not.
bool weak(std::string_view what, std::memory_order order, When when) {
  Weaken change(order, std::move(when));
  return caught<Deaths>(what, change, 150'000);
}

const RegisteredModel<Deaths> sweep_deaths("repair");
const RegisteredModel<Rivals> sweep_rivals("repair, rivals");

}  // namespace

TEST_CASE("model: after repair no hole is left and no live or committed claim is touched",
          "[repair]") {
  CHECK(holds<Deaths>("deaths and repair", 600'000, 1, 100'000));
  CHECK(holds<Rivals>("deaths and repair, rivals", 300'000, 1, 100'000));
}

TEST_CASE("mutation: CLAIM, released relaxed, is caught", "[repair]") {
  CHECK(weak("CLAIM acquire only", std::memory_order::acquire, kind(Name::tail, Op::cas)));
}

TEST_CASE("mutation: CLAIM, loaded relaxed by repair, is caught", "[repair]") {
  CHECK(
      weak("CLAIM loaded relaxed by repair", std::memory_order::relaxed, [](const Access& access) {
        return access.name == Name::tail && access.op == Op::load && by_repair(access);
      }));
}

TEST_CASE("mutation: IDLE relaxed is caught", "[repair]") {
  CHECK(weak("IDLE relaxed", std::memory_order::relaxed, is_idle));
}

TEST_CASE("mutation: intents loaded relaxed are caught", "[repair]") {
  CHECK(weak("intents loaded relaxed", std::memory_order::relaxed, kind(Name::word, Op::load)));
}

TEST_CASE("mutation: stamps loaded relaxed by repair are caught", "[repair]") {
  Weaken change(std::memory_order::relaxed, [](const Access& access) {
    return access.name == Name::stamp && access.op == Op::load && by_repair(access);
  });
  CHECK(caught<Rivals>("stamps loaded relaxed", change, 150'000));
}

TEST_CASE("mutation: inner stamps not ordered behind OWN are caught", "[repair]") {
  struct : Mutation {
    std::memory_order order(const Access& access) override {
      return is_inner_stamp(access) ? std::memory_order::relaxed : access.order;
    }
    bool dropped(const Access& access) override { return access.name == Name::write_fence; }
  } change;
  CHECK(caught<Rivals>("inner stamps relaxed, no write fence", change, 150'000));
}

TEST_CASE("mutation: INTENT after CLAIM is caught", "[repair]") {
  Delay change(is_trying, kind(Name::tail, Op::cas));
  CHECK(caught<Deaths>("INTENT after CLAIM", change, 150'000));
}

TEST_CASE("mutation: no OWN is caught", "[repair]") {
  Drop change(is_owned);
  CHECK(caught<Deaths>("no OWN", change, 150'000));
}

TEST_CASE("mutation: IDLE before COMMIT is caught", "[repair]") {
  Delay change(is_commit, is_idle);
  CHECK(caught<Deaths>("IDLE before COMMIT", change, 150'000));
}

TEST_CASE("mutation: a new length under an old intent is caught", "[repair]") {
  Drop change(is_blank);
  CHECK(caught<Deaths>("new length under an old intent", change, 150'000));
}

TEST_CASE("mutation: tail after the slots is caught", "[repair]") {
  Early change(
      [](const Access& access) { return kind(Name::tail, Op::load)(access) && by_repair(access); },
      [](const Access& access) { return access.name == Name::word || access.name == Name::length; },
      2);
  CHECK(caught<Deaths>("tail after the slots", change, 150'000));
}

TEST_CASE("mutation: stamps before the slots is caught", "[repair]") {
  Early change(
      [](const Access& access) { return kind(Name::tail, Op::load)(access) && by_repair(access); },
      kind(Name::stamp, Op::load), 100);
  CHECK(caught<Deaths>("stamps before the slots", change, 150'000));
}

TEST_CASE("mutation: rivals not read again is caught", "[repair]") {
  std::array<unsigned, kProducers> loads{};
  Repeat change([&](const Access& access) {
    if (!by_repair(access)) return false;
    if (access.name == Name::tail) loads.fill(0);
    return access.name == Name::word && ++loads[access.index] > 2;
  });
  CHECK(caught<Deaths>("rivals not read again", change, 1'500'000));
}

TEST_CASE("mutation: a live rival taken for dead is caught", "[repair]") {
  Mutation change;
  take_the_living_for_dead = true;
  CHECK(caught<Deaths>("live rival taken for dead", change, 150'000));
  take_the_living_for_dead = false;
}
