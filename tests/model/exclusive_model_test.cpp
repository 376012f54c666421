#include <catch2/catch.hpp>

#include "ring/sharing.hpp"
// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

using Ring = ModelRing<8>;

constexpr unsigned kOwner = 0, kSecond = 1, kSupervisor = 2, kThreads = 3;

/// Tail, with a mark beside it that the owner writes when it stores to tail and everybody else
/// reads when they swap it: where no order stands between the two, relacy finds a race. On its own
/// it would not: it lets no store take effect late, as hardware may.
class OwnedTail {
 public:
  OwnedTail(Word<std::uint64_t>& tail, rl::var<unsigned>& mark) : tail_(tail), mark_(mark) {}

  std::uint64_t load(std::memory_order order, Where where = Where::current()) const noexcept {
    return tail_.load(order, where);
  }
  void store(std::uint64_t value, std::memory_order order,
             Where where = Where::current()) noexcept {
    tail_.store(value, order, where);
    mark_(RL_INFO) = 1;  // in the same step: nothing but what comes next publishes it
  }
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t value,
                               std::memory_order success, std::memory_order failure,
                               Where where = Where::current()) noexcept {
    look();
    return tail_.compare_exchange_strong(expected, value, success, failure, where);
  }
  void fetch_or(std::uint64_t value, std::memory_order order,
                Where where = Where::current()) noexcept {
    look();
    tail_.fetch_or(value, order, where);
  }

 private:
  void look() noexcept { (void)static_cast<unsigned>(mark_(RL_INFO)); }

  Word<std::uint64_t>& tail_;
  rl::var<unsigned>& mark_;
};

class View : public ModelView<Ring> {
 public:
  View(Ring& ring, rl::var<unsigned>& mark) noexcept : ModelView<Ring>(ring), mark_(&mark) {}
  OwnedTail tail() const noexcept { return {ring().tail, *mark_}; }

 private:
  rl::var<unsigned>* mark_;
};

// What the supervisor leaves out; each must be noticed.
bool awaits_the_end = true;
bool wants_before_barrier = true;
bool looks_behind_barrier = true;

enum class Host { with_barrier, without_barrier };

/// An owner that may be killed before any of its operations and a second producer that the
/// supervisor lets in when the owner shares, or is dead and repaired. Or else it closes tail then.
template <Host host>
struct Change : rl::test_suite<Change<host>, kThreads> {
  Ring ring;
  rl::var<unsigned> mark{0};
  ModelSlot owner_slot{0}, second_slot{1};
  Word<std::uint32_t> death{Name::death, 0};
  Word<std::uint32_t> admitted{Name::death, 1};  // a message
  bool freed = false;
  bool closed = false;

  View view() { return View(ring, mark); }

  void before() {
    open_ring(view(), 0, [this] { return ring.draw(); });
    owner_slot.mode.store(static_cast<std::uint32_t>(layout::ClaimMode::exclusive),
                          std::memory_order::relaxed);
    ring.supervisor = kSupervisor;
  }

  void publish(Writer<View, ModelSlot>& writer, std::uint64_t units) {
    const Claimed claim = writer.try_claim(units * kUnit, 1);
    RL_ASSERT(claim.status == Status::ok || (closed && claim.status == Status::closed));
    if (claim.status != Status::ok) return;
    RL_ASSERT(claim.offset == ring.claim_at(claim.first)->offset);
    writer.view().store_header(claim.position, data_header(units * kUnit, claim.position));
    if (units == 2) writer.view().write(claim.position + kUnit, 7);
    writer.commit(claim);
  }

  void own() {
    const auto work = [&] {
      Writer<View, ModelSlot> writer(view(), owner_slot);
      for (unsigned i = 0; i < 3; ++i) publish(writer, i == 1 ? 2 : 1);
    };
    if (mortal(40, work)) return;
    ring.gone[kOwner] = true;
    death.store(1, std::memory_order::release);
  }

  void come_second() {
    for (unsigned tries = 0; tries < 6; ++tries) {
      if (admitted.load(std::memory_order::acquire) == 0) continue;
      Writer<View, ModelSlot> writer(view(), second_slot);
      for (unsigned i = 0; i < 2; ++i) publish(writer, 1 + rl::rand(2));
      return;
    }
  }

  bool settle() {
    std::array<Claimant<ModelSlot>, 2> claimants{{{&owner_slot, true}, {&second_slot, false}}};
    std::array<Intention, 2> snapshot;
    const RepairOutcome outcome = repair<View, ModelSlot>(view(), claimants, 0, snapshot);
    RL_ASSERT(outcome.step != RepairStep::hostile);
    if (outcome.step == RepairStep::again || outcome.step == RepairStep::nobody) return false;
    for (std::size_t i = 0; i < ring.claims; ++i) {
      if (ring.truth[i].owner == kOwner) RL_ASSERT(ring.truth[i].state != Truth::State::open);
    }
    return true;
  }

  bool repaired() {
    if (!freed && death.load(std::memory_order::acquire) == 1) freed = settle();
    return freed;
  }

  void supervise() {
    Sharing<View, ModelSlot> sharing(view(), owner_slot);
    if (wants_before_barrier) sharing.want();
    if constexpr (host == Host::with_barrier) {
      if (!looks_behind_barrier) sharing.barrier_passed();
      membarrier<kThreads>(Where::current());
      if (!wants_before_barrier) sharing.want();
      sharing.barrier_passed();
    }
    for (unsigned tries = 0; tries < 6; ++tries) {
      if (awaits_the_end && !repaired() && !sharing.over()) continue;
      if (rl::rand(3) == 0) {
        closed = true;
        view().tail().fetch_or(layout::TailCodec::kClosed, std::memory_order::acq_rel);
      } else {
        admitted.store(1, std::memory_order::release);
      }
      break;
    }
    for (unsigned round = 0; round < 3; ++round) repaired();
  }

  void thread(unsigned index) {
    if (index == kOwner) own();
    if (index == kSecond) come_second();
    if (index == kSupervisor) supervise();
  }

  /// Nothing is lost, doubled or left open, and what was closed stays closed.
  void after() {
    ring.supervisor = rl::thread_index();
    if (ring.gone[kOwner] && !freed) RL_ASSERT(settle());
    Place place{0, 0};
    RL_ASSERT(walk(view(), place, ring.announced.load(std::memory_order::acquire),
                   [this](const Place& at, const layout::RecordHeader& header) {
                     const Truth* claim = ring.claim_at(at.position);
                     RL_ASSERT(claim != nullptr && claim->offset == at.offset);
                     RL_ASSERT(layout::record_bytes(header) == claim->bytes);
                   }) == Found::nothing);
    const layout::Tail tail = view().codec().unpack(ring.tail.load(std::memory_order::acquire));
    RL_ASSERT(place.position == tail.position && place.offset == ring.offset_end);
    RL_ASSERT(tail.closed == closed);
  }
};

using Fenced = Change<Host::with_barrier>;
using Unfenced = Change<Host::without_barrier>;

const RegisteredModel<Fenced> sweep_fenced("exclusive");
const RegisteredModel<Unfenced> sweep_unfenced("exclusive, no barrier");

bool by_supervisor(const Access&) {
  return rl::thread_index() == kSupervisor;
}
bool by_owner(const Access&) {
  return rl::thread_index() == kOwner;
}

/// Stores of one kind are relaxed. The fence behind OWN would order the next ones all the same.
class Unordered : public Mutation {
 public:
  explicit Unordered(When when) : when_(std::move(when)) {}
  std::memory_order order(const Access& access) override {
    return when_(access) ? std::memory_order::relaxed : access.order;
  }
  bool dropped(const Access& access) override { return access.name == Name::write_fence; }

 private:
  When when_;
};

/// Whether the fault is noticed that comes of leaving a step out.
template <class Suite>
bool caught_without(std::string_view what, bool& step) {
  Mutation change;
  step = false;
  const bool noticed = caught<Suite>(what, change, 100'000);
  step = true;
  return noticed;
}

}  // namespace

TEST_CASE("model: an exclusive producer becomes a shared one, and nothing is lost", "[exclusive]") {
  CHECK(holds<Fenced>("exclusive to shared", 300'000, 1, 100'000));
  CHECK(holds<Unfenced>("exclusive to shared, no barrier", 150'000, 1, 50'000));
}

TEST_CASE("mutation: another producer without awaiting the owner is caught", "[exclusive]") {
  CHECK(caught_without<Fenced>("owner not awaited", awaits_the_end));
}

TEST_CASE("mutation: no barrier before the look at the intent is caught", "[exclusive]") {
  Drop change(kind(Name::sleeper_barrier, Op::fence));
  CHECK(caught<Fenced>("no barrier", change, 100'000));
}

TEST_CASE("mutation: share_wanted behind the barrier is caught", "[exclusive]") {
  CHECK(caught_without<Fenced>("share_wanted behind the barrier", wants_before_barrier));
}

TEST_CASE("mutation: the intent looked at before the barrier is caught", "[exclusive]") {
  CHECK(caught_without<Fenced>("intent before the barrier", looks_behind_barrier));
}

TEST_CASE("mutation: a claim in flight that is not awaited is caught", "[exclusive]") {
  struct : Mutation {
    std::optional<std::uint64_t> remembered(const Access& access) override {
      const bool in_flight = access.name == Name::word && access.index == 0 &&
                             layout::intent_state(access.before) == layout::Intent::trying;
      if (!in_flight || !by_supervisor(access)) return {};
      return 0;
    }
  } change;
  CHECK(caught<Fenced>("claim in flight not awaited", change, 100'000));
}

TEST_CASE("mutation: share_wanted looked at before INTENT is caught", "[exclusive]") {
  Early change(
      [](const Access& access) { return kind(Name::tail, Op::load)(access) && by_owner(access); },
      kind(Name::share_wanted, Op::load), 1);
  CHECK(caught<Fenced>("share_wanted before INTENT", change, 100'000));
}

TEST_CASE("mutation: INTENT after the look at share_wanted is caught", "[exclusive]") {
  Delay change(
      [](const Access& access) {
        return access.name == Name::word && access.op == Op::store && by_owner(access) &&
               layout::intent_state(access.value) == layout::Intent::trying;
      },
      kind(Name::share_wanted, Op::load));
  CHECK(caught<Fenced>("INTENT after the look", change, 100'000));
}

TEST_CASE("mutation: an owner that looks at share_wanted once is caught", "[exclusive]") {
  Repeat change(kind(Name::share_wanted, Op::load));
  CHECK(caught<Fenced>("share_wanted looked at once", change, 100'000));
}

TEST_CASE("mutation: an owner that says shared and stores on is caught", "[exclusive]") {
  // It says so at its first claim, whatever share_wanted is.
  struct : Mutation {
    std::optional<std::uint64_t> remembered(const Access& access) override {
      if (access.name != Name::mode || !by_supervisor(access)) return {};
      return static_cast<std::uint64_t>(layout::ClaimMode::shared);
    }
  } change;
  CHECK(caught<Unfenced>("shared too early", change, 100'000));
}

TEST_CASE("mutation: SHARED, not ordered behind the stores to tail, is caught", "[exclusive]") {
  Unordered change(kind(Name::mode, Op::store));
  CHECK(caught<Unfenced>("SHARED relaxed, no write fence", change, 100'000));
}

TEST_CASE("mutation: SHARED, acquired relaxed, is caught", "[exclusive]") {
  Weaken change(std::memory_order::relaxed, [](const Access& access) {
    return kind(Name::mode, Op::load)(access) && by_supervisor(access);
  });
  CHECK(caught<Unfenced>("SHARED acquired relaxed", change, 100'000));
}

TEST_CASE("mutation: OWN and IDLE, not ordered behind the store to tail, are caught",
          "[exclusive]") {
  Unordered change(
      [](const Access& access) { return kind(Name::word, Op::store)(access) && by_owner(access); });
  CHECK(caught<Fenced>("OWN, IDLE relaxed, no write fence", change, 100'000));
}

TEST_CASE("mutation: OWN and IDLE, acquired relaxed, are caught", "[exclusive]") {
  Weaken change(std::memory_order::relaxed, [](const Access& access) {
    return kind(Name::word, Op::load)(access) && by_supervisor(access);
  });
  CHECK(caught<Fenced>("OWN, IDLE acquired relaxed", change, 100'000));
}
