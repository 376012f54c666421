// An exclusive producer is killed between any two instructions of its claims, and while it comes to
// share its ring; and so is the supervisor that lets another one in.

#include <array>
#include <catch2/catch.hpp>
#include <optional>

#include "proof/acts.hpp"
#include "proof/each_instruction.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"
#include "ring/sharing.hpp"
#include "shm/barrier.hpp"

namespace ringway::proof {
namespace {

using Sharing = ring::Sharing<ring::PartitionView, layout::Slot>;

constexpr std::uint64_t kBaseOffset = 3 * 4096 - 60;

void make_exclusive(const Stage& stage) {
  stage.slot(kVictim).mode = static_cast<std::uint32_t>(layout::ClaimMode::exclusive);
}

Scene alone(std::string state, Act victim, const std::function<void(Cast&)>& beginning,
            ring::Mapping mapping = ring::Mapping::mirrored) {
  return {.state = std::move(state),
          .victim = std::move(victim),
          .beginning =
              [beginning](Cast& cast) {
                beginning(cast);
                make_exclusive(cast.stage());
              },
          .mapping = mapping};
}

/// Where the owner stands in its second claim.
enum class Where : unsigned char { trying, claimed, owned, committed, between_claims };
constexpr std::array kEverywhere{Where::trying, Where::claimed, Where::owned, Where::committed,
                                 Where::between_claims};

/// An owner that publishes three records, and what the supervisor and the producer that it lets in
/// do between any two of its instructions, as soon as they may. copy() goes on from there in
/// another process of the owner, on the same stage.
class Change {
 public:
  explicit Change(Stage& stage)
      : stage_(&stage),
        cast_(stage, ring::Mapping::mirrored, kBaseOffset),
        owner_(begin(), kVictim, publishes({40, 70, 50})),
        sharing_(stage.topic().view(0), stage.slot(kVictim)) {}
  Change copy() { return {*this, owner_.copy()}; }

  const Cast& cast() const noexcept { return cast_; }
  Cast& cast() noexcept { return cast_; }
  Actor& owner() noexcept { return owner_; }
  bool asked() const noexcept { return asked_; }
  bool admitted() const noexcept { return admitted_; }

  bool at(Where where) const {
    const layout::Slot& slot = stage_->slot(kVictim);
    const auto state = layout::intent_state(slot.word);
    const std::uint64_t position = layout::intent_position(slot.word);
    const std::size_t claims = owner_.claims().size();
    const auto view = cast_.view();
    const bool stamped = view.stamp(position) == ring::current_stamp(view, position);
    switch (where) {
      case Where::trying:
        return claims == 1 && state == layout::Intent::trying;
      case Where::claimed:
        return claims == 2 && state == layout::Intent::trying;
      case Where::owned:
        return claims == 2 && state == layout::Intent::owned && !stamped;
      case Where::committed:
        return claims == 2 && state == layout::Intent::owned && stamped;
      case Where::between_claims:
        return claims == 2 && state == layout::Intent::idle;
    }
    return false;
  }

  void step() { owner_.step(*stage_); }
  void lead_owner_to(Where where) {
    for (; !at(where); step()) {
      if (owner_.puppet().done()) throw std::logic_error("the owner never came to its place");
    }
  }

  /// The supervisor, which may be another one each time.
  void ask() {
    asked_ = true;
    sharing_ = Sharing(stage_->topic().view(0), stage_->slot(kVictim));
    sharing_.want();
    sharing_.barrier_passed();  // the owner stands still: nothing of it is on its way
  }
  void admit() {
    admitted_ = true;
    publish();
  }
  void look() {
    if (asked_ && !admitted_ && sharing_.over()) return admit();
    // Whoever was let in takes the place that the owner tries for.
    const std::uint64_t word = stage_->slot(kVictim).word;
    if (admitted_ && overtaken_ < kOvertaken &&
        layout::intent_state(word) == layout::Intent::trying &&
        layout::intent_position(word) == stage_->tail().position) {
      ++overtaken_;
      publish();
    }
  }

  void owner_goes_on() {
    for (; !owner_.puppet().done() && overtaken_ < kOvertaken; step()) look();
    look();
    if (!admitted_) throw Violation("nobody was ever let in beside the owner");
  }
  void all_go_on(bool supervisor_died) {
    Fallen fallen;
    fallen.supervisor = supervisor_died;
    std::vector<Bystander> living;
    living.push_back({kVictim, std::move(owner_.puppet())});
    go_on(cast_, fallen, std::move(living));
  }
  void owner_dies() {
    owner_.puppet().kill();
    Fallen fallen;
    fallen.add(cast_.view(), kVictim, owner_.claims());
    go_on(cast_, fallen, {});
  }

 private:
  static constexpr int kOvertaken = 2;

  Change(const Change& other, Actor owner)
      : stage_(other.stage_),
        cast_(other.cast_),
        owner_(std::move(owner)),
        sharing_(other.sharing_),
        asked_(other.asked_),
        admitted_(other.admitted_),
        overtaken_(other.overtaken_) {}

  Cast& begin() {
    in_the_middle(cast_);
    make_exclusive(*stage_);
    return cast_;
  }
  void publish() {
    if (!cast_.publish(100)) throw Violation("whoever was let in finds no room");
  }

  Stage* stage_;
  Cast cast_;
  Actor owner_;
  Sharing sharing_;
  bool asked_ = false, admitted_ = false;
  int overtaken_ = 0;
};

/// A play that begins behind each instruction of the owner; memory is put back after it.
template <class Between, class Play>
void behind_each_instruction(Tally& tally, Between&& between, Play&& play) {
  Stage stage(kBaseOffset);
  Change change(stage);
  for (;;) {
    between(change);
    const Stage::Kept kept = stage.keep();
    Change here = change.copy();
    tally.point(here.owner().puppet(), [&] { play(here); });
    stage.put_back(kept);
    if (change.owner().puppet().done()) return;
    change.step();
  }
}

}  // namespace

TEST_CASE("exclusive: killed at every instruction, nobody else loses anything", "[proof]") {
  const Act three = publishes({100, 200, 40});
  perform("exclusive: claim, fill, commit",
          {alone("the ring's first records", three, [](Cast&) {}),
           alone("in the middle of a later lap", three, in_the_middle),
           alone("across the end, mapped once, with filler", three, before_the_wrap,
                 ring::Mapping::single),
           alone("refused at the limit", three, almost_full),
           alone("while a consumer holds records", three, held_by_a_consumer),
           alone("a batch", publishes_batch(3, 68), before_the_wrap),
           alone("given up", aborts(2, 100), in_the_middle)});
}

TEST_CASE("exclusive: asked to share after any instruction, the owner goes on beside others",
          "[proof]") {
  Tally tally;
  behind_each_instruction(
      tally, [](Change&) {},
      [](Change& change) {
        change.ask();
        change.owner_goes_on();
        change.all_go_on(false);
      });
  tally.report("exclusive to shared, nobody is killed");
}

TEST_CASE("exclusive: killed at every instruction while it comes to share", "[proof]") {
  std::uint32_t awaited = 0, shared = 0;
  Tally tally;
  for (const Where where : kEverywhere) {
    behind_each_instruction(
        tally,
        [&](Change& change) {
          if (!change.asked() && change.at(where)) change.ask();
          change.look();
        },
        [&](Change& change) {
          awaited += change.asked() && !change.admitted();
          shared += change.admitted();
          change.owner_dies();
        });
  }
  tally.report("exclusive to shared, owner killed");
  CHECK(awaited > 2);
  CHECK(shared > 100);
}

TEST_CASE("exclusive: the supervisor that lets another one in is killed at every instruction",
          "[proof]") {
  Tally tally;
  for (const Where where : kEverywhere) {
    Stage stage(kBaseOffset);
    Change change(stage);
    change.lead_owner_to(where);
    Actor supervisor(change.cast(), kOther, [](Cast& cast, Seat) -> Puppet::Part {
      auto sharing =
          std::make_shared<Sharing>(cast.stage().topic().view(0), cast.stage().slot(kVictim));
      return [sharing, told = &cast.stage().told(), barrier = &shm::ProcessBarrier::instance()] {
        sharing->want();
        if (barrier->issue()) sharing->barrier_passed();
        if (sharing->over()) told->woke = 1;
      };
    });
    behind_each_instruction(tally, stage, supervisor, [&](Actor& dead) {
      dead.puppet().kill();
      Change here = change.copy();
      if (stage.told().woke == 1) here.admit();
      const bool owner_moves_on = dead.puppet().steps() % 2 == 1;
      for (int i = 0; owner_moves_on && i < 60 && !here.owner().puppet().done(); ++i) {
        here.look();
        here.step();
      }
      here.ask();
      here.owner_goes_on();
      here.all_go_on(true);
    });
  }
  tally.report("exclusive to shared, supervisor killed");
}

}  // namespace ringway::proof
