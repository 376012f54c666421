// A ring is retired: producers stand still after any instruction of a claim, its claims are
// decided, they wake up and are told; and the supervisor is killed between any two instructions of
// it.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <set>

#include "daemon/ring_ending.hpp"
#include "proof/acts.hpp"
#include "proof/each_instruction.hpp"
#include "proof/states.hpp"
#include "ring/carry_over.hpp"
#include "ring/sharing.hpp"
#include "shm/barrier.hpp"

namespace ringway::proof {
namespace {

constexpr std::uint64_t kBaseOffset = 3 * 4096 - 60;
constexpr int kRoundsMax = 8;

/// Told::woke of a producer whose claim was taken away.
constexpr std::uint32_t kFenced = 1;

/// Claims, fills and commits two records as one claim, and asks what became of it when it must; as
/// often as `claims` says, or until it is refused.
Act commits_into_a_ring_that_may_end(std::uint32_t payload_bytes, std::uint32_t claims = 1) {
  return [=](Cast& cast, Seat seat) -> Puppet::Part {
    auto writer = std::make_shared<Writer>(cast.view(), cast.stage().slot(seat));
    auto payload = std::make_shared<std::vector<std::string>>();
    for (std::uint64_t i = 1; i <= 2 * claims; ++i) {
      payload->push_back(Content{seat, payload_bytes, i, (i - 1) / 2 * 2 + 1, 2}.text());
    }
    return [=, told = &cast.stage().told()] {
      const std::uint64_t each = claim_bytes(payload->front());
      for (std::size_t i = 0; i < payload->size(); i += 2) {
        const auto claimed = writer->try_claim(each * 2, 2);
        if (claimed.status != Status::ok) return;
        write_record(writer->view(), claimed.position, (*payload)[i], seat);
        write_record(writer->view(), claimed.position + each, (*payload)[i + 1], seat);
        writer->stamp_inner(claimed.position + each);
        ring::Verdict verdict = ring::Verdict::accepted;
        if (!writer->commit(claimed)) {
          do {
            verdict = writer->verdict(claimed);
          } while (verdict == ring::Verdict::pending);
        }
        if (verdict == ring::Verdict::accepted) {
          told->committed[seat] += 2;
        } else {
          told->woke = kFenced;
        }
      }
    };
  };
}

/// The supervisor's side: one life of it, up to `rounds` looks.
class Retirement {
 public:
  explicit Retirement(const Cast& cast, std::set<Seat> dead = {},
                      std::optional<Seat> exclusive = {})
      : cast_(cast), view_(cast.stage().topic().view(0)), exclusive_(exclusive), ending_(view_) {
    for (const Seat seat : {kVictim, kOther, kEarlier, kRivalA}) {
      handles_.add(layout::Role::producer, seat, 4000 + seat, &cast.stage().slot(seat), true);
      if (dead.contains(seat)) handles_.release(seat);
    }
  }

  /// False: not over within so many rounds.
  bool run() {
    std::optional<ring::Sharing<ring::PartitionView, layout::Slot>> sharing;
    if (exclusive_) {
      sharing.emplace(view_, cast_.stage().slot(*exclusive_));
      sharing->want();
      shm::ProcessBarrier::instance().issue();
      sharing->barrier_passed();
    }
    for (int round = 0; round < kRoundsMax; ++round) {
      if (ending_.state() == daemon::RingEnding::State::over) return true;
      if (!ending_.retired()) cast_.follow();
      ending_.begin();
      handles_.settle(view_, [&](const auto& settled) {
        if (settled.handle == exclusive_) sharing.reset();
      });
      std::optional<std::uint64_t> owner;
      if (sharing && !sharing->over()) owner = *exclusive_;
      if (!ending_.retired()) cast_.follow();
      if (!ending_.look(cast_.committed(), handles_, owner)) return false;
      if (ending_.state() == daemon::RingEnding::State::closing &&
          handles_.open_claims(cast_.committed().position, cast_.stage().tail().position, owner)
              .claims) {
        ending_.fence(cast_.committed());
      }
    }
    return ending_.state() == daemon::RingEnding::State::over;
  }

 private:
  Cast cast_;
  ring::PartitionView view_;
  std::optional<Seat> exclusive_;
  daemon::PartitionHandles handles_;
  daemon::RingEnding ending_;
};

/// Copies of the cast act on the same ring.
void end_ring(const Cast& cast, const std::set<Seat>& dead = {},
              std::optional<Seat> exclusive = {}) {
  if (!Retirement(cast, dead, exclusive).run()) {
    throw Violation("the ring does not come to its end");
  }
}

Act ends_the_ring(std::set<Seat> dead, std::optional<Seat> exclusive = {}) {
  return [=](Cast& cast, Seat) -> Puppet::Part {
    auto retirement = std::make_shared<Retirement>(cast, dead, exclusive);
    return [retirement] { retirement->run(); };
  };
}

/// In the middle of its life, before anybody claims what may be void.
struct Ring {
  Ring() {
    in_the_middle(cast);
    begun = cast.place();
  }

  Stage stage{kBaseOffset};
  Cast cast{stage, ring::Mapping::mirrored, kBaseOffset};
  ring::Place begun{};
};

/// What the ring and its successor hold of one producer.
std::uint64_t records_of(const ring::PartitionView& view, ring::Place from, std::uint64_t end,
                         Seat seat, ring::Place& behind) {
  std::uint64_t count = 0;
  layout::RecordHeader header;
  while (from.position < end && ring::peek(view, from.position, header) == ring::Found::record) {
    if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data) &&
        header.producer == seat) {
      const std::string payload(
          reinterpret_cast<const char*>(view.at(from.position)) + sizeof header,
          header.payload_bytes);
      if (Content::parse(payload).sequence != ++count) throw Violation("a record is out of order");
    }
    from.pass(header);
  }
  behind = from;
  return count;
}

/// Whether producers have heard of all that is theirs.
enum class Knows : unsigned char { all, too_little };

/// The successor begins where the ring ends, and holds what stands, once.
void check_successor(Stage& stage, ring::Place begun, const std::vector<Seat>& producers,
                     Knows knows = Knows::all) {
  const ring::PartitionView old = stage.view(ring::Mapping::mirrored);
  const layout::Tail tail = stage.tail();
  const bool retired = old.retired().load() != 0;
  const ring::Place end =
      retired ? ring::Place{old.end_position(), old.end_offset()} : ring::Place{tail.position, 0};
  Stage next(retired ? end.offset : kBaseOffset);
  const ring::PartitionView successor = next.view(ring::Mapping::mirrored);
  if (retired && !ring::carry_over(old, successor)) throw Violation("it cannot be carried over");
  for (const Seat seat : producers) {
    ring::Place behind{}, behind_next{};
    std::uint64_t seen = records_of(old, begun, end.position, seat, behind);
    if (behind.position != end.position) throw Violation("not all before the end is settled");
    if (retired) {
      if (behind.offset != end.offset) throw Violation("the end has another offset");
      const std::uint64_t carried =
          records_of(successor, {0, end.offset}, stage.kRingBytes, seat, behind_next);
      if (seen != 0 && carried != 0) throw Violation("a record is doubled");
      seen += carried;
      if (behind_next.position != next.tail().position) throw Violation("a hole in the successor");
      const auto low = next.topic().view(0).codec().offset_mask();
      if ((behind_next.offset & low) != next.tail().offset_low) {
        throw Violation("the successor's next offset is wrong");
      }
    }
    const std::uint64_t told = stage.told().committed[seat];
    if (seen < told || seen > told + (knows == Knows::all ? 0 : 2)) {
      throw Violation(fmt::format("producer {} was told of {} records, and {} are there",
                                  static_cast<unsigned>(seat), told, seen));
    }
  }
}

/// Who stamps now waits for a verdict.
bool decides(const Cast& cast) {
  return cast.view().retired().load() == static_cast<std::uint32_t>(layout::Retired::deciding);
}

}  // namespace

TEST_CASE("fence: stopped at every instruction, a producer is told what became of its claim",
          "[proof]") {
  std::uint32_t fenced = 0, accepted = 0;
  Ring ring;
  Actor victim(ring.cast, kVictim, commits_into_a_ring_that_may_end(200));
  Tally tally;
  behind_each_instruction(tally, ring.stage, victim, [&](Actor& here) {
    Cast cast = ring.cast;
    static_cast<void>(cast.publish(100));
    end_ring(cast);
    here.puppet().finish();
    check_successor(ring.stage, ring.begun, {kVictim});
    fenced += ring.stage.told().woke == kFenced;
    accepted += ring.stage.told().committed[kVictim] == 2;
  });
  tally.report("fence and verdict, stopped");
  // Both were seen: neither outcome is there for show.
  CHECK(fenced > 100);
  CHECK(accepted > 10);
}

TEST_CASE("fence: killed at every instruction, a producer's claim is repaired or void", "[proof]") {
  Ring ring;
  Actor other(ring.cast, kRivalA, commits_into_a_ring_that_may_end(60));
  other.lead_to(ring.stage, Point::owned);
  Actor victim(ring.cast, kVictim, commits_into_a_ring_that_may_end(200));
  Tally tally;
  behind_each_instruction(tally, ring.stage, victim, [&](Actor& here) {
    Cast cast = ring.cast;
    static_cast<void>(cast.publish(100));
    here.puppet().kill();
    end_ring(cast, {kVictim});
    other.copy().puppet().finish();
    check_successor(ring.stage, ring.begun, {kRivalA});
    if (ring.stage.told().woke != kFenced) throw Violation("who stood still was not told");
  });
  tally.report("fence and verdict, killed");
}

TEST_CASE("retire: the supervisor is killed at every instruction, the next one ends the ring",
          "[proof]") {
  // Two stand still, one of them before it said that it owns its claim; a third is dead.
  Ring ring;
  Actor first(ring.cast, kRivalA, commits_into_a_ring_that_may_end(60));
  first.lead_to(ring.stage, Point::claimed);
  static_cast<void>(ring.cast.publish(100));
  Actor second(ring.cast, kVictim, commits_into_a_ring_that_may_end(200));
  second.lead_to(ring.stage, Point::owned);
  Actor dead(ring.cast, kEarlier, commits_into_a_ring_that_may_end(90));
  dead.lead_to(ring.stage, Point::owned);
  dead.puppet().kill();
  Actor supervisor(ring.cast, kOther, ends_the_ring({kEarlier}));
  Tally tally;
  behind_each_instruction(tally, ring.stage, supervisor, [&](Actor& here) {
    here.puppet().kill();
    Cast cast = ring.cast;
    Actor second_here = second.copy();
    // In between one of those who stood still may have gone on.
    const bool goes_on = here.puppet().steps() % 2 == 0 && !decides(cast);
    if (goes_on) second_here.puppet().finish();
    cast.replace_supervisor();
    end_ring(cast, {kEarlier});
    first.copy().puppet().finish();
    if (!goes_on) second_here.puppet().finish();
    check_successor(ring.stage, ring.begun, {kRivalA, kVictim});
  });
  tally.report("retire, supervisor killed");
}

namespace {

/// A ring whose only producer has it for itself.
struct ExclusiveRing : Ring {
  ExclusiveRing() {
    stage.slot(kVictim).mode = static_cast<std::uint32_t>(layout::ClaimMode::exclusive);
  }
  Act act = commits_into_a_ring_that_may_end(40, 2);
};

void end_exclusive_ring(const Cast& cast, const std::set<Seat>& dead = {}) {
  end_ring(cast, dead, kVictim);
}

}  // namespace

TEST_CASE("fence: stopped at every instruction, an exclusive producer is told", "[proof]") {
  std::uint32_t fenced = 0, unclaimed = 0;
  ExclusiveRing ring;
  Actor victim(ring.cast, kVictim, ring.act);
  Tally tally;
  behind_each_instruction(tally, ring.stage, victim, [&](Actor& here) {
    const std::uint64_t tail = ring.stage.tail().position;
    end_exclusive_ring(ring.cast);
    // Stopped before its store to tail, and taken for one that has made it.
    const auto view = ring.cast.view();
    unclaimed += view.void_claims() == 1 && view.void_claim(0).position == tail;
    here.puppet().finish();
    check_successor(ring.stage, ring.begun, {kVictim});
    if (!ring.stage.tail().closed) throw Violation("a tail that was opened again stays open");
    fenced += ring.stage.told().woke == kFenced;
  });
  tally.report("fence and verdict, exclusive, stopped");
  CHECK(fenced > 100);
  CHECK(unclaimed > 2);
}

TEST_CASE("fence: killed at every instruction, an exclusive producer's ring comes to its end",
          "[proof]") {
  Tally tally;
  for (const bool fenced_before : {false, true}) {
    ExclusiveRing ring;
    Actor victim(ring.cast, kVictim, ring.act);
    behind_each_instruction(tally, ring.stage, victim, [&](Actor& here) {
      if (fenced_before) end_exclusive_ring(ring.cast);  // as of one that stands still
      here.puppet().kill();
      end_exclusive_ring(ring.cast, {kVictim});
      check_successor(ring.stage, ring.begun, {kVictim}, Knows::too_little);
    });
  }
  tally.report("fence and verdict, exclusive, killed");
}

TEST_CASE("retire: the supervisor is killed at every instruction beside an exclusive producer",
          "[proof]") {
  Tally tally;
  for (const Point point : {Point::trying, Point::claimed, Point::owned}) {
    ExclusiveRing ring;
    Actor victim(ring.cast, kVictim, ring.act);
    victim.lead_to(ring.stage, point);
    Actor supervisor(ring.cast, kOther, ends_the_ring({}, kVictim));
    behind_each_instruction(tally, ring.stage, supervisor, [&](Actor& here) {
      here.puppet().kill();
      Cast cast = ring.cast;
      Actor victim_here = victim.copy();
      // In between it may have gone on.
      const bool goes_on = here.puppet().steps() % 2 == 0 && !decides(cast);
      if (goes_on) victim_here.puppet().finish();
      cast.replace_supervisor();
      end_exclusive_ring(cast);
      if (!goes_on) victim_here.puppet().finish();
      check_successor(ring.stage, ring.begun, {kVictim});
    });
  }
  tally.report("retire an exclusive ring, supervisor killed");
}

}  // namespace ringway::proof
