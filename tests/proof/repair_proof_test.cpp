// The supervisor is killed between any two instructions of repairing dead producers; the next one
// repairs again.

#include <catch2/catch.hpp>

#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {
namespace {

using Fate = Rival::Fate;

/// What the flusher does for released handles: one attempt for each, twice.
Act repairs(std::vector<Seat> dead) {
  return [dead](Cast& cast, Seat) -> Puppet::Part {
    auto handles = std::make_shared<daemon::PartitionHandles>(cast.handles());
    for (const Seat seat : dead) handles->release(seat);
    return [=, view = cast.stage().topic().view(0)] {
      for (int i = 0; i < 2; ++i) {
        handles->settle(view, [](const auto&) {});
      }
    };
  };
}

Scene scene(std::string state, std::vector<Rival> rivals,
            std::function<void(Cast&)> beginning = in_the_middle) {
  std::vector<Seat> dead;
  for (const Rival& rival : rivals) {
    if (rival.fate == Fate::dies_before) dead.push_back(rival.seat);
  }
  return {.state = std::move(state),
          .victim = repairs(dead),
          .beginning = std::move(beginning),
          .role = Scene::Role::supervisor,
          .rivals = std::move(rivals)};
}

}  // namespace

TEST_CASE("repair: killed at every instruction, the next supervisor finishes it", "[proof]") {
  const Act same = publishes({100});
  const Act longer = publishes({400});
  const Act batch = publishes_batch(3, 40);
  // Both come to the same place before the first takes it.
  const auto both = [&](std::string state, Act first, Point until, Act second, Fate fate) {
    Scene both_trying =
        scene(std::move(state), {{kRivalA, std::move(first), Point::trying, Fate::dies_before},
                                 {kRivalB, std::move(second), Point::trying, fate}});
    both_trying.parting = {kRivalA, until};
    return both_trying;
  };
  perform("repair",
          {scene("one that only tried", {{kRivalA, same, Point::trying, Fate::dies_before}}),
           scene("one that claimed and did not say so",
                 {{kRivalA, same, Point::claimed, Fate::dies_before}}),
           scene("the owner of a batch", {{kRivalA, batch, Point::owned, Fate::dies_before}}),
           scene("one that had committed", {{kRivalA, same, Point::committed, Fate::dies_before}}),
           scene("two in a row", {{kRivalA, same, Point::claimed, Fate::dies_before},
                                  {kRivalB, batch, Point::owned, Fate::dies_before}}),
           scene("across the end, behind a live one's open claim",
                 {{kRivalA, longer, Point::owned, Fate::dies_before}},
                 [](Cast& cast) {
                   before_the_wrap(cast);
                   cast.claim_early(64);
                 }),
           both("two for one place, as long; the first had claimed", same, Point::claimed, same,
                Fate::dies_before),
           both("two for one place; the longer had claimed", longer, Point::claimed, same,
                Fate::dies_before),
           both("two for one place, of other offsets; one lives", same, Point::claimed,
                publishes_batch(1, 68), Fate::lives)});
}

}  // namespace ringway::proof
