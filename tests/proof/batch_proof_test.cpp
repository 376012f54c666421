// A producer is killed between any two instructions of a batch: all of its records, or none.

#include <catch2/catch.hpp>

#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {

TEST_CASE("batch: killed at every instruction, all of it is there or nothing", "[proof]") {
  using Fate = Rival::Fate;
  const Act four = publishes_batch(4, 60);
  const auto alone = [&](std::string state, std::function<void(Cast&)> beginning,
                         ring::Mapping mapping = ring::Mapping::mirrored) {
    return Scene{.state = std::move(state),
                 .victim = four,
                 .beginning = std::move(beginning),
                 .mapping = mapping};
  };
  Scene rivalled = alone("a live one is about to claim as much", in_the_middle);
  rivalled.rivals = {{kRivalA, publishes({384}), Point::trying, Fate::lives}};
  Scene overtaken = alone("overtaken by one as long that dies as well", in_the_middle);
  overtaken.rivals = {{kRivalA, publishes({384}), Point::trying, Fate::dies_as_well}};
  overtaken.overtaking = {kRivalA, Point::claimed};
  Scene inner = alone("a dead one had tried for as much as its first record", in_the_middle);
  inner.rivals = {{kRivalA, publishes({60}), Point::trying, Fate::dies_as_well}};
  perform("batch", {alone("in the middle of a later lap", in_the_middle),
                    alone("across the end, mapped twice", before_the_wrap),
                    alone("across the end, mapped once, with filler", before_the_wrap,
                          ring::Mapping::single),
                    alone("behind a live producer's open claim", behind_an_open_claim), rivalled,
                    overtaken, inner});
}

}  // namespace ringway::proof
