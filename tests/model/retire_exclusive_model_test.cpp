#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "ring/retire.hpp"
#include "ring/sharing.hpp"
// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

using Ring = ModelRing<8>;
using View = ModelView<Ring>;

constexpr unsigned kOwner = 0, kSupervisor = 1, kThreads = 2;

// What the supervisor leaves out; must be noticed.
bool decides_for_who_may_store = true;

/// A ring is retired at any moment of two claims of its only producer, which stores to tail.
struct Ending : rl::test_suite<Ending, kThreads> {
  struct Told {
    Claimed claim{};
    Verdict verdict{};
  };

  Ring ring;
  ModelSlot slot{0};
  std::array<Told, 2> told{};
  std::size_t told_count = 0;
  bool decided = false;
  std::uint64_t copied_to = 0;  ///< the end of what was carried over then

  View view() { return View(ring); }

  void before() {
    open_ring(view(), 0, [this] { return ring.draw(); });
    slot.mode.store(static_cast<std::uint32_t>(layout::ClaimMode::exclusive),
                    std::memory_order::relaxed);
    ring.supervisor = kSupervisor;
  }

  void produce() {
    Writer<View, ModelSlot> writer(view(), slot);
    for (unsigned i = 0; i < 2; ++i) {
      const std::uint64_t units = 1 + rl::rand(2);
      const Claimed claim = writer.try_claim(units * kUnit, 1);
      if (claim.status != Status::ok) {
        RL_ASSERT(claim.status == Status::closed);
        return;
      }
      writer.view().store_header(claim.position, data_header(units * kUnit, claim.position));
      if (units == 2) writer.view().write(claim.position + kUnit, 7);
      Verdict verdict = Verdict::accepted;
      if (!writer.commit(claim)) {
        verdict = writer.verdict(claim);
        for (int t = 0; t < 3 && verdict == Verdict::pending; ++t) verdict = writer.verdict(claim);
      }
      told[told_count++] = {claim, verdict};
    }
  }

  using Owner = Sharing<View, ModelSlot>;

  /// As carry_over() reads it, then or later.
  std::uint64_t end_of_decided() {
    const std::uint64_t tail =
        view().codec().unpack(ring.tail.load(std::memory_order::relaxed)).position;
    const std::uint32_t voids = ring.void_claims.load(std::memory_order::relaxed);
    if (voids == 0) return tail;
    const VoidClaim& last = ring.void_claim.at(voids - 1);
    if (last.position.load(std::memory_order::relaxed) != tail) return tail;
    return tail + last.bytes.load(std::memory_order::relaxed);
  }

  bool look(const Owner& owner) {
    close(view());
    const bool stores = !owner.over() && decides_for_who_may_store;
    const std::array<Claimant<ModelSlot>, 1> claimants{{{&slot, false, true, stores}}};
    std::array<Intention, 1> snapshot;
    std::size_t culprit = 0;
    const Decision said = decide<View, ModelSlot>(view(), claimants, snapshot, culprit,
                                                  [](VoidClaim&, std::size_t) {});
    RL_ASSERT(said == Decision::decided || said == Decision::again || said == Decision::nobody);
    decided = said == Decision::decided;
    if (decided) copied_to = end_of_decided();
    return decided;
  }

  void supervise() {
    Owner owner(view(), slot);
    owner.want();
    membarrier<kThreads>(Where::current());
    owner.barrier_passed();
    if (owner.over()) close(view());
    Place end{0, 0};
    walk(view(), end, ring.announced.load(std::memory_order::acquire), [](auto&&...) {});
    retire(view(), end, [] { membarrier<kThreads>(Where::current()); });
    for (unsigned tries = 0; tries < 3 && !decided; ++tries) look(owner);
  }

  void thread(unsigned index) {
    if (index == kSupervisor) return supervise();
    produce();
  }

  /// All that was told is so, and nothing else is there.
  void after() {
    ring.supervisor = rl::thread_index();
    Owner owner(view(), slot);
    owner.barrier_passed();
    for (unsigned tries = 0; tries < 3 && !decided; ++tries) look(owner);
    RL_ASSERT(decided);
    RL_ASSERT(end_of_decided() == copied_to);
    layout::Tail tail = view().codec().unpack(ring.tail.load(std::memory_order::acquire));
    RL_ASSERT(tail.closed);
    Place place{0, 0};
    const Place end{ring.end_position.load(std::memory_order::relaxed),
                    ring.end_offset.load(std::memory_order::relaxed)};
    const std::uint32_t voids = ring.void_claims.load(std::memory_order::relaxed);
    std::uint32_t next_void = 0;
    std::size_t kept = 0;
    layout::RecordHeader header;
    for (;;) {
      const auto& gone = ring.void_claim.at(next_void);
      const bool is_void = place.position >= end.position && next_void < voids &&
                           gone.position.load(std::memory_order::relaxed) == place.position;
      if (!is_void && place.position >= tail.position) break;
      if (is_void) {
        ++next_void;
        check(place, Verdict::voided);
        place.position += gone.bytes.load(std::memory_order::relaxed);
        place.offset += gone.offsets.load(std::memory_order::relaxed);
      } else {
        RL_ASSERT(peek(view(), place.position, header) == Found::record);
        check(place, Verdict::accepted);
        place.pass(header);
        ++kept;
      }
      // A claim that was void before it was stored to tail ends there.
      if (place.position > tail.position) tail.position = place.position;
    }
    RL_ASSERT(next_void == voids && place.position == tail.position);
    std::size_t told_of = 0;
    for (std::size_t i = 0; i < told_count; ++i) {
      // Who was not told yet is told now.
      Told& one = told[i];
      if (one.verdict == Verdict::pending) {
        one.verdict = Writer<View, ModelSlot>(view(), slot).verdict(one.claim);
        RL_ASSERT(one.verdict != Verdict::pending);
      }
      RL_ASSERT(one.claim.position < tail.position);
      if (one.verdict == Verdict::accepted) ++told_of;
    }
    RL_ASSERT(told_of == kept);
  }

  void check(const Place& place, Verdict said) {
    for (std::size_t i = 0; i < told_count; ++i) {
      const Told& one = told[i];
      if (one.claim.position != place.position) continue;
      RL_ASSERT(one.claim.offset == place.offset);
      RL_ASSERT(one.verdict == Verdict::pending || one.verdict == said);
    }
  }
};

const RegisteredModel<Ending> sweep_ending("retire, exclusive");

bool by_producer(const Access&) {
  return rl::thread_index() != kSupervisor;
}
}  // namespace

TEST_CASE("model: an exclusive producer's ring is retired, wherever it stands", "[retire]") {
  CHECK(holds<Ending>("retire, exclusive", 300'000, 1, 100'000));
}

TEST_CASE("mutation: a claim that is not in tail yet and not decided is caught", "[retire]") {
  Mutation change;
  decides_for_who_may_store = false;
  const bool noticed = caught<Ending>("claim in flight not decided", change, 200'000);
  decides_for_who_may_store = true;
  CHECK(noticed);
}

TEST_CASE("mutation: an owner that leaves the tail open that it opened is caught", "[retire]") {
  Drop change([](const Access& access) {
    return kind(Name::tail, Op::exchange)(access) && by_producer(access);
  });
  CHECK(caught<Ending>("tail not closed again", change, 200'000));
}
