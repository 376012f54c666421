// A ring is retired: producers stand still after any instruction of a claim, its claims are
// decided, they wake up and are told; and the supervisor is killed between any two instructions of
// it.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "daemon/ring_ending.hpp"
#include "proof/acts.hpp"
#include "proof/points.hpp"
#include "proof/states.hpp"
#include "ring/carry_over.hpp"

namespace ringway::proof {
namespace {

constexpr std::uint64_t kBaseOffset = 3 * 4096 - 60;
constexpr int kRoundsMax = 8;

/// Told::woke of a producer whose claim was taken away.
constexpr std::uint32_t kFenced = 1;

/// Claims, fills and commits two records as one claim, and asks what became of it when it must.
Act commits_into_a_ring_that_may_end(std::uint32_t payload_bytes) {
  return [=](Cast& cast, Seat seat) -> Puppet::Part {
    auto writer = std::make_shared<Writer>(cast.view(), cast.stage().slot(seat));
    auto payload = std::make_shared<std::vector<std::string>>();
    for (std::uint64_t i = 1; i <= 2; ++i) {
      payload->push_back(Content{seat, payload_bytes, i, 1, 2}.text());
    }
    return [=, told = &cast.stage().told()] {
      const std::uint64_t each = claim_bytes(payload->front());
      const auto claimed = writer->try_claim(each * 2, 2);
      if (claimed.status != Status::ok) return;
      write_record(writer->view(), claimed.position, payload->front(), seat);
      write_record(writer->view(), claimed.position + each, payload->back(), seat);
      writer->stamp_inner(claimed.position + each);
      ring::Verdict verdict = ring::Verdict::accepted;
      if (!writer->commit(claimed)) {
        do {
          verdict = writer->verdict(claimed);
        } while (verdict == ring::Verdict::pending);
      }
      if (verdict == ring::Verdict::accepted) {
        told->committed[seat] = 2;
      } else {
        told->woke = kFenced;
      }
    };
  };
}

/// The supervisor's side: one life of it, up to `rounds` looks.
class Retirement {
 public:
  explicit Retirement(const Cast& cast, std::set<Seat> dead = {})
      : cast_(cast), view_(cast.stage().topic().view(0)), ending_(view_) {
    for (const Seat seat : {kVictim, kOther, kEarlier, kRivalA}) {
      handles_.add(layout::Role::producer, seat, 4000 + seat, &cast.stage().slot(seat), true);
      if (dead.contains(seat)) handles_.release(seat);
    }
  }

  /// False: not over within so many rounds.
  bool run() {
    for (int round = 0; round < kRoundsMax; ++round) {
      if (ending_.state() == daemon::RingEnding::State::over) return true;
      if (!ending_.retired()) cast_.follow();
      ending_.begin();
      handles_.settle(view_, [](const auto&) {});
      if (!ending_.retired()) cast_.follow();
      if (!ending_.look(cast_.committed(), handles_)) return false;
      if (ending_.state() == daemon::RingEnding::State::closing &&
          handles_.open_claims(cast_.committed().position, cast_.stage().tail().position).claims) {
        ending_.fence(cast_.committed());
      }
    }
    return ending_.state() == daemon::RingEnding::State::over;
  }

 private:
  Cast cast_;
  ring::PartitionView view_;
  daemon::PartitionHandles handles_;
  daemon::RingEnding ending_;
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

/// The successor begins where the ring ends, and holds what stands, once.
void check_successor(Stage& stage, ring::Place begun, const std::vector<Seat>& producers) {
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
    if (seen != stage.told().committed[seat]) {
      throw Violation(fmt::format("producer {} was told of {} records, and {} are there",
                                  static_cast<unsigned>(seat), stage.told().committed[seat].load(),
                                  seen));
    }
  }
}

/// Where a victim stands when it is led on to the n-th instruction.
enum class Stands : unsigned char { beyond_its_end, in_own_code, in_library };

/// One act per instruction count, until `body(n)` says that there are no more. `stride`: of an
/// operation that is long, every so manieth; with RINGWAY_TEST_LONG all.
template <class Body>
void for_every_instruction(const std::string& operation, Body&& body, std::uint64_t stride = 1) {
  if (std::getenv("RINGWAY_TEST_LONG") != nullptr) stride = 1;
  std::uint64_t points = 0, sure_points = 0, violations = 0;
  std::string first;
  for (std::uint64_t n = 0;; n += stride, ++points) {
    try {
      const Stands stands = body(n);
      if (stands == Stands::beyond_its_end) break;
      if (stands == Stands::in_own_code) ++sure_points;
    } catch (const Violation& violation) {
      if (violations++ == 0) first = fmt::format("instruction {}: {}", n, violation.what());
    }
  }
  fmt::print("{:<62} {:>6} {:>6} {:>6} {:>10}\n", operation, points, sure_points, "-",
             violations);
  std::fflush(stdout);
  INFO(first);
  CHECK(violations == 0);
  CHECK(sure_points >= recorded_points(operation));
}

Stands step_to(Actor& actor, const Stage& stage, std::uint64_t n) {
  while (actor.puppet().steps() < n && !actor.puppet().done()) actor.step(stage);
  if (actor.puppet().steps() < n) return Stands::beyond_its_end;
  return actor.puppet().in_own_code() ? Stands::in_own_code : Stands::in_library;
}

}  // namespace

TEST_CASE("fence: stopped at every instruction, a producer is told what became of its claim",
          "[proof]") {
  std::uint32_t fenced = 0, accepted = 0;
  for_every_instruction("fence and verdict, stopped", [&](std::uint64_t n) {
    Stage stage(kBaseOffset);
    Cast cast(stage, ring::Mapping::mirrored, kBaseOffset);
    in_the_middle(cast);
    const ring::Place begun = cast.place();
    Actor victim(cast, kVictim, commits_into_a_ring_that_may_end(200));
    const Stands stands = step_to(victim, stage, n);
    if (stands == Stands::beyond_its_end) return stands;
    static_cast<void>(cast.publish(100));
    if (!Retirement(cast).run()) throw Violation("the ring does not come to its end");
    victim.puppet().finish();
    check_successor(stage, begun, {kVictim});
    fenced += stage.told().woke == kFenced;
    accepted += stage.told().committed[kVictim] == 2;
    return stands;
  });
  // Both were seen: neither outcome is there for show.
  CHECK(fenced > 100);
  CHECK(accepted > 10);
}

TEST_CASE("fence: killed at every instruction, a producer's claim is repaired or void", "[proof]") {
  for_every_instruction("fence and verdict, killed", [&](std::uint64_t n) {
    Stage stage(kBaseOffset);
    Cast cast(stage, ring::Mapping::mirrored, kBaseOffset);
    in_the_middle(cast);
    const ring::Place begun = cast.place();
    Actor other(cast, kRivalA, commits_into_a_ring_that_may_end(60));
    other.lead_to(stage, Point::owned);
    Actor victim(cast, kVictim, commits_into_a_ring_that_may_end(200));
    const Stands stands = step_to(victim, stage, n);
    if (stands == Stands::beyond_its_end) return stands;
    static_cast<void>(cast.publish(100));
    victim.puppet().kill();
    if (!Retirement(cast, {kVictim}).run()) throw Violation("the ring does not come to its end");
    other.puppet().finish();
    check_successor(stage, begun, {kRivalA});
    if (stage.told().woke != kFenced) throw Violation("who stood still was not told");
    return stands;
  });
}

TEST_CASE("retire: the supervisor is killed at every instruction, the next one ends the ring",
          "[proof]") {
  // Two stand still, one of them before it said that it owns its claim; a third is dead.
  for_every_instruction(
      "retire, supervisor killed",
      [&](std::uint64_t n) {
        Stage stage(kBaseOffset);
        Cast cast(stage, ring::Mapping::mirrored, kBaseOffset);
        in_the_middle(cast);
        const ring::Place begun = cast.place();
        Actor first(cast, kRivalA, commits_into_a_ring_that_may_end(60));
        first.lead_to(stage, Point::claimed);
        static_cast<void>(cast.publish(100));
        Actor second(cast, kVictim, commits_into_a_ring_that_may_end(200));
        second.lead_to(stage, Point::owned);
        Actor dead(cast, kEarlier, commits_into_a_ring_that_may_end(90));
        dead.lead_to(stage, Point::owned);
        dead.puppet().kill();
        Actor supervisor(cast, kOther, [](Cast& own, Seat) -> Puppet::Part {
          auto retirement = std::make_shared<Retirement>(own, std::set<Seat>{kEarlier});
          return [retirement] { retirement->run(); };
        });
        const Stands stands = step_to(supervisor, stage, n);
        if (stands == Stands::beyond_its_end) return stands;
        supervisor.puppet().kill();
        // In between one of those who stood still may have gone on.
        const bool goes_on =
            n % 2 == 0 &&
            cast.view().retired().load() != static_cast<std::uint32_t>(layout::Retired::deciding);
        if (goes_on) second.puppet().finish();
        cast.replace_supervisor();
        if (!Retirement(cast, {kEarlier}).run())
          throw Violation("the ring does not come to its end");
        first.puppet().finish();
        if (!goes_on) second.puppet().finish();
        check_successor(stage, begun, {kRivalA, kVictim});
        return stands;
      },
      7);
}

}  // namespace ringway::proof
