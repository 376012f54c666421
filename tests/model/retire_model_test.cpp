#include <algorithm>
#include <catch2/catch.hpp>

#include "ring/carry_over.hpp"
#include "ring/retire.hpp"
// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;
using layout::Retired;

namespace {

using Ring = ModelRing<8>;
using View = ModelView<Ring>;
constexpr unsigned kProducers = 2, kConsumer = 2, kSupervisor = 3, kThreads = 4;
constexpr std::uint64_t kBase = 5, kOffsets = 32;

/// How a ring ends that cannot end by itself.
enum class Ending { by_verdict, in_quarantine };

bool adopted_without_barrier = false;
bool looks_for_end_first = false;
bool barrier_of_its_own = false;

/// Producer 0 lives, 1 may be killed before any of its operations; both stand still wherever the
/// scheduler leaves them. The supervisor ends the ring, takes that back now and then, is killed and
/// started again, and opens the next ring behind it, in which producer 0 goes on. A consumer reads
/// across. A record's mark and payload say its offset.
template <Ending ending>
struct Retire : rl::test_suite<Retire<ending>, kThreads> {
  Ring ring;
  Ring next{Mapping::mirrored, true};
  std::array<ModelSlot, 3> slot{ModelSlot(0), ModelSlot(1), ModelSlot(2)};
  std::array<ModelSlot, 3> next_slot{ModelSlot(3), ModelSlot(4), ModelSlot(5)};
  Word<std::uint32_t> death{Name::death};
  Word<std::uint32_t> magic{Name::magic};  ///< of the next ring: it is there, whole

  /// What a producer was told of a claim.
  struct Told {
    enum { nothing, at_once, accepted, voided } what;
    Claimed claim;
    std::uint32_t offsets;
    bool in_next;
  };
  std::array<std::array<Told, 4>, kProducers> told{};
  std::array<unsigned, kProducers> told_count{};
  std::array<bool, kOffsets> taken{};      ///< by a decision
  std::array<bool, kOffsets> delivered{};  ///< to the consumer
  bool freed = false;                      ///< the dead one's slot, as the living supervisor knows
  std::uint64_t next_base = 0;

  void before() {
    open_ring(View(ring), kBase, [this] { return ring.draw(); });
    ring.offset_end = kBase;
    ring.supervisor = kSupervisor;
  }

  // A producer.

  bool publish(Writer<View, ModelSlot>& writer, unsigned index, bool in_next) {
    const std::uint64_t units = 1 + rl::rand(2);
    const std::uint32_t offsets = units == 2 && rl::rand(2) == 0 ? 2 : 1;
    const Claimed claim = writer.try_claim(units * kUnit, offsets);
    if (claim.status != Status::ok) return false;
    Told& mine = told[index][told_count[index]++];
    mine = {Told::nothing, claim, offsets, in_next};
    if (!in_next) RL_ASSERT(ring.claim_at(claim.first)->offset == claim.offset);
    const std::uint64_t bytes = units * kUnit / offsets;
    for (std::uint32_t i = 0; i < offsets; ++i) {
      const std::uint64_t at = claim.position + i * bytes;
      writer.view().store_header(at, data_header(bytes, claim.offset + i));
      if (bytes == 2 * kUnit) writer.view().write(at + kUnit, claim.offset);
      if (i > 0) writer.stamp_inner(at);
    }
    if (writer.commit(claim)) {
      mine.what = Told::at_once;
      return true;
    }
    for (unsigned tries = 0; tries < 3 && mine.what == Told::nothing; ++tries) ask(writer, mine);
    return true;
  }

  static void ask(const Writer<View, ModelSlot>& writer, Told& mine) {
    const Verdict verdict = writer.verdict(mine.claim);
    if (verdict == Verdict::accepted) mine.what = Told::accepted;
    if (verdict == Verdict::voided) mine.what = Told::voided;
  }

  void produce(unsigned index) {
    const auto work = [&] {
      Writer<View, ModelSlot> writer(View(ring), slot[index]);
      for (unsigned i = 0; i < 2; ++i) publish(writer, index, false);
    };
    if (index == 1) {
      if (mortal(30, work)) return;
      ring.gone[index] = true;
      death.store(1, std::memory_order::release);
      return;
    }
    work();
    for (unsigned tries = 0; tries < 3; ++tries) {
      if (magic.load(std::memory_order::acquire) == 0) continue;
      Writer<View, ModelSlot> writer(View(next), next_slot[index]);
      publish(writer, index, true);
      return;
    }
  }

  // The consumer, as in client/partition_cursor.cpp.

  struct Harvest {
    std::array<std::uint64_t, 16> offset;
    unsigned count = 0;
  };

  void harvest(const View& view, Place& place, std::uint64_t bound, Harvest& into) {
    const Found found =
        walk(view, place, bound, [&](const Place& at, const layout::RecordHeader& header) {
          if (header.kind != static_cast<std::uint8_t>(layout::RecordKind::data)) return;
          RL_ASSERT(header.producer == at.offset);
          if (layout::record_bytes(header) == 2 * kUnit) {
            RL_ASSERT(view.read(at.position + kUnit) == at.offset);
          }
          into.offset[into.count++] = at.offset;
        });
    RL_ASSERT(found == Found::nothing);
  }

  void deliver(const Harvest& harvest, std::uint64_t from) {
    for (unsigned i = 0; i < harvest.count; ++i) {
      if (harvest.offset[i] < from) continue;
      RL_ASSERT(!delivered[harvest.offset[i]]);
      delivered[harvest.offset[i]] = true;
    }
  }

  void consume() {
    Reader<View, ModelSlot> reader(View(ring), slot[kConsumer]);
    Place place{0, kBase};
    unsigned tries = 0;
    for (bool replaced = false; !replaced; ++tries) {
      if (tries == 6) return;
      // Before the look: then nothing more will come here.
      replaced = magic.load(std::memory_order::acquire) == 1;
      const std::uint64_t announced = reader.pin(place.position);
      RL_ASSERT(announced != 0);
      Place to = place;
      Harvest seen;
      const std::uint64_t end_before = reader.end();
      harvest(View(ring), to, std::min(announced, end_before), seen);
      if (to.position > (looks_for_end_first ? end_before : reader.end())) {
        // Retired while it was read: again, up to its end.
        replaced = false;
        continue;
      }
      deliver(seen, 0);
      place = to;
      reader.unpin();
    }
    Place in_next{0, next_base};
    if (ending == Ending::by_verdict) RL_ASSERT(place.offset >= next_base);
    for (; tries < 8; ++tries) {
      Harvest seen;
      const std::uint64_t from = std::max(in_next.offset, place.offset);
      harvest(View(next), in_next, View(next).announced().load(std::memory_order::acquire), seen);
      deliver(seen, from);
    }
  }

  // The supervisor, as in daemon/ring_ending.hpp and topic_registry_replacement.cpp.

  static constexpr auto barrier = [](Where where = Where::current()) {
    if (barrier_of_its_own) return fence(Name::full_fence, std::memory_order::seq_cst, where);
    membarrier<kThreads>(where);
  };

  Retired retired() {
    return static_cast<Retired>(View(ring).retired().load(std::memory_order::acquire));
  }

  /// Of the slots that are not given back yet.
  unsigned claimants(std::array<Claimant<ModelSlot>, kProducers>& who) {
    who[0] = {&slot[0], false, true};
    who[1] = {&slot[1], death.load(std::memory_order::acquire) == 1, true};
    return freed ? 1 : kProducers;
  }

  bool settle() {
    std::array<Claimant<ModelSlot>, kProducers> who;
    std::array<Intention, kProducers> snapshot;
    if (claimants(who) == 1 || !who[1].dead) return freed;
    const RepairOutcome outcome = repair<View, ModelSlot>(View(ring), who, 1, snapshot);
    RL_ASSERT(outcome.step != RepairStep::hostile);
    freed = outcome.step == RepairStep::freed || outcome.step == RepairStep::finished;
    return freed;
  }

  bool decided() {
    std::array<Claimant<ModelSlot>, kProducers> who;
    std::array<Intention, kProducers> snapshot;
    const unsigned count = claimants(who);
    std::size_t culprit = 0;
    const Decision decision = decide<View, ModelSlot>(
        View(ring), std::span(who).first(count), std::span(snapshot).first(count), culprit,
        [this](const VoidClaim& entry, std::size_t) {
          const Truth* claim = ring.claim_at(entry.position.newest());
          RL_ASSERT(claim != nullptr);
          RL_ASSERT(entry.bytes.newest() == claim->bytes);
          RL_ASSERT(entry.offset.newest() == claim->offset);
          RL_ASSERT(entry.offsets.newest() == claim->offsets);
        });
    RL_ASSERT(decision == Decision::decided || decision == Decision::again ||
              decision == Decision::nobody);
    return decision == Decision::decided;
  }

  /// One life of it. True: it has opened the next ring.
  bool live(unsigned rounds) {
    const View view(ring);
    Place committed{0, kBase};
    const auto follow = [&](std::uint64_t bound) {
      RL_ASSERT(walk(view, committed, bound, [](const Place&, const auto&) {}) == Found::nothing);
    };
    Retired state = retired();
    bool over = state == Retired::decided || state == Retired::spoiled;
    if (state == Retired::no) reopen(view);  // an end that was not reached is begun anew
    if (state == Retired::deciding && !adopted_without_barrier) {
      // Who came before may have died before its barrier.
      retire(view, {ring.end_position.newest(), ring.end_offset.newest()}, barrier);
    }
    close(view);
    for (unsigned round = 0; round < rounds && !over; ++round) {
      const bool settled = death.load(std::memory_order::acquire) == 0 || settle();
      if (state == Retired::no) {
        follow(Ring::kBytes);
        const layout::Tail tail = view.codec().unpack(view.tail().load(std::memory_order::acquire));
        if (tail.position == committed.position && settled) {
          over = true;
        } else if (rl::rand(4) == 0) {
          go_on_for_a_while();
        } else if (rl::rand(2) == 0) {
          retire(view, committed, barrier);
          state = Retired::deciding;
        }
      } else if (ending == Ending::in_quarantine) {
        give_up(view);
        state = Retired::spoiled;
        over = true;
      } else if (rl::rand(8) == 0) {
        go_on_for_a_while();
        state = Retired::no;
      } else if (decided()) {
        state = Retired::decided;
        over = true;
      }
    }
    if (over) open_next(committed);
    return over;
  }

  void go_on_for_a_while() {
    const View view(ring);
    reopen(view);
    RL_ASSERT(!view.codec().unpack(ring.tail.newest()).closed);
    close(view);
  }

  void open_next(Place committed) {
    const View from(ring), to(next);
    const Retired how = retired();
    const layout::Tail tail = from.codec().unpack(from.tail().load(std::memory_order::acquire));
    const Place end = how == Retired::no
                          ? committed
                          : Place{ring.end_position.newest(), ring.end_offset.newest()};
    next_base = end.offset;
    // Behind everything that may have been visible.
    if (how == Retired::spoiled) next_base = ring.offset_end + 4;
    open_ring(to, next_base, [this] { return ring.draw(); });
    if (how == Retired::decided) RL_ASSERT(carry_over(from, to));
    RL_ASSERT(tail.closed);
    magic.store(1, std::memory_order::release);
  }

  void supervise() {
    for (unsigned lives = 0; lives < 2; ++lives) {
      bool done = false;
      freed = false;
      if (mortal(80, [&] { done = live(4); }) && done) return;
    }
  }

  void thread(unsigned index) {
    if (index < kProducers) produce(index);
    if (index == kConsumer) consume();
    if (index == kSupervisor) supervise();
  }

  /// Everything that somebody was told stands there once, nothing else does, and nobody saw
  /// anything that does not.
  void after() {
    ring.supervisor = rl::thread_index();
    freed = false;
    if (magic.newest() == 0) RL_ASSERT(live(40));
    const View from(ring), to(next);
    const Retired how = retired();
    const layout::Tail tail = from.codec().unpack(ring.tail.load(std::memory_order::acquire));
    std::array<bool, kOffsets> there{};
    Place place{0, kBase};
    Harvest seen;
    const std::uint64_t end =
        how == Retired::no ? tail.position : ring.end_position.load(std::memory_order::acquire);
    harvest(from, place, end, seen);
    RL_ASSERT(place.position == end);
    const std::uint64_t end_offset = place.offset;
    RL_ASSERT(how == Retired::spoiled || end_offset == next_base);
    Place behind{0, next_base};
    harvest(to, behind, to.announced().load(std::memory_order::acquire), seen);
    const layout::Tail next_tail = to.codec().unpack(next.tail.load(std::memory_order::acquire));
    RL_ASSERT(behind.position == next_tail.position);
    RL_ASSERT((behind.offset & to.codec().offset_mask()) == next_tail.offset_low);
    for (unsigned i = 0; i < seen.count; ++i) {
      RL_ASSERT(!there[seen.offset[i]]);
      there[seen.offset[i]] = true;
    }
    for (unsigned index = 0; index < kProducers; ++index) {
      for (unsigned i = 0; i < told_count[index]; ++i) {
        Told& mine = told[index][i];
        const bool stopped = index == 1 && ring.gone[1] && mine.what == Told::nothing;
        if (mine.what == Told::nothing && !stopped) {
          ask(Writer<View, ModelSlot>(from, slot[index]), mine);
          RL_ASSERT(mine.what != Told::nothing);
        }
        if (stopped) continue;
        // What was spoiled by then is nobody's promise.
        const bool promised = mine.in_next || how != Retired::spoiled || mine.claim.first < end ||
                              mine.what != Told::at_once;
        for (std::uint64_t n = mine.claim.offset; promised && n < mine.claim.offset + mine.offsets;
             n += mine.offsets == 2 ? 1 : mine.offsets) {
          RL_ASSERT(there[n] == (mine.what != Told::voided));
        }
      }
    }
    for (std::uint64_t n = 0; n < kOffsets; ++n) {
      const bool lost_by_right = how == Retired::spoiled && n >= end_offset && n < next_base;
      if (delivered[n] && !lost_by_right) RL_ASSERT(there[n]);
    }
  }
};

using Decided = Retire<Ending::by_verdict>;
using Quarantined = Retire<Ending::in_quarantine>;

bool is_retire(const Access& access) {
  return kind(Name::retired, Op::store)(access) &&
         access.value == static_cast<std::uint64_t>(Retired::deciding);
}
bool is_verdict(const Access& access) {
  return kind(Name::retired, Op::store)(access) &&
         access.value == static_cast<std::uint64_t>(Retired::decided);
}

/// Whether a fault of the model's own is noticed.
bool caught_with(std::string_view what, bool& fault) {
  Mutation change;
  fault = true;
  const bool noticed = caught<Decided>(what, change, 300'000);
  fault = false;
  return noticed;
}

const RegisteredModel<Decided> sweep_decided("retire");
const RegisteredModel<Quarantined> sweep_quarantined("retire, quarantine");

}  // namespace

TEST_CASE("model: a ring ends, and what was told stands in it or in the next one, once",
          "[retire]") {
  CHECK(holds<Decided>("close, retire, decide, carry over", 300'000, 1, 50'000));
}

TEST_CASE("model: a ring in quarantine ends, and nobody is told otherwise", "[retire]") {
  CHECK(holds<Quarantined>("close, retire, give up", 50'000, 1, 10'000));
}

TEST_CASE("mutation: no barrier behind RETIRE is caught", "[retire]") {
  Drop change(kind(Name::sleeper_barrier, Op::fence));
  CHECK(caught<Decided>("no barrier", change, 100'000));
}

TEST_CASE("mutation: a barrier that does not reach the producers is caught", "[retire]") {
  CHECK(caught_with("barrier does not reach producers", barrier_of_its_own));
}

TEST_CASE("mutation: a ring that is being retired, adopted without a barrier, is caught",
          "[retire]") {
  CHECK(caught_with("adopted without a barrier", adopted_without_barrier));
}

TEST_CASE("mutation: the end asked for before the stamps is caught", "[retire]") {
  CHECK(caught_with("end before the stamps", looks_for_end_first));
}

TEST_CASE("mutation: VERDICT before the void claims is caught", "[retire]") {
  Delay change(
      [](const Access& access) {
        return kind(Name::void_claim, Op::store)(access) ||
               kind(Name::void_claims, Op::store)(access);
      },
      is_verdict);
  CHECK(caught<Decided>("VERDICT before the void claims", change, 100'000));
}

TEST_CASE("mutation: COMMIT after the look at RETIRE is caught", "[retire]") {
  Delay change(
      [](const Access& access) {
        return kind(Name::stamp, Op::store)(access) && rl::thread_index() < kProducers;
      },
      kind(Name::retired, Op::load));
  CHECK(caught<Decided>("COMMIT after the look at RETIRE", change, 100'000));
}

TEST_CASE("mutation: a claim that is open, taken for void before RETIRE, is caught", "[retire]") {
  // What decide() finds unstamped, it has looked at before.
  Early change(is_retire, kind(Name::stamp, Op::load), 8);
  CHECK(caught<Decided>("stamps looked at before RETIRE", change, 100'000));
}

TEST_CASE("mutation: a void claim that is carried over is caught", "[retire]") {
  struct : Mutation {
    std::optional<std::uint64_t> remembered(const Access& access) override {
      if (!kind(Name::void_claims, Op::load)(access)) return {};
      return rl::thread_index() < kProducers ? std::nullopt : std::optional<std::uint64_t>(0);
    }
  } change;
  CHECK(caught<Decided>("void claims not looked up", change, 100'000));
}
