// A producer is killed between any two instructions of claim, fill and commit.

#include <catch2/catch.hpp>

#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {
namespace {

using Fate = Rival::Fate;
using ring::Mapping;

const Act kThree = publishes({100, 200, 40});
const Act kTwo = publishes({100, 40});

Scene alone(std::string state, std::function<void(Cast&)> beginning,
            Mapping mapping = Mapping::mirrored) {
  return {.state = std::move(state), .victim = kThree, .beginning = beginning, .mapping = mapping};
}

/// The rival stands at a point of its own claim while the victim acts.
Scene rivalled(std::string state, Act rival, Point at, Fate fate) {
  return {.state = std::move(state),
          .victim = kTwo,
          .beginning = in_the_middle,
          .rivals = {{kRivalA, std::move(rival), at, fate}}};
}

/// Both have an intent at one place, and the rival takes it.
Scene overtaken(std::string state, Act rival, Point until, Fate fate) {
  Scene scene = rivalled(std::move(state), std::move(rival), Point::trying, fate);
  scene.overtaking = {kRivalA, until};
  return scene;
}

}  // namespace

TEST_CASE("claim: killed at every instruction, nobody else loses anything", "[proof]") {
  perform("claim, fill, commit",
          {alone("the ring's first records", [](Cast&) {}),
           alone("in the middle of a later lap", in_the_middle),
           alone("across the end, mapped twice", before_the_wrap),
           alone("across the end, mapped once, with filler", before_the_wrap, Mapping::single),
           alone("refused at the limit", almost_full),
           alone("behind a live producer's open claim", behind_an_open_claim),
           alone("while a consumer holds records", held_by_a_consumer)});
}

TEST_CASE("claim: killed at every instruction beside rivals for the same place", "[proof]") {
  const Act same = publishes({100});
  const Act longer = publishes({400});
  const Act as_long_of_two = publishes_batch(1, 68);  // 4 units as well, but two offsets
  perform(
      "claim beside rivals",
      {rivalled("a live one is about to claim as much", same, Point::trying, Fate::lives),
       rivalled("a live one is about to claim more", longer, Point::trying, Fate::lives),
       rivalled("one that was about to claim as much is dead", same, Point::trying,
                Fate::dies_before),
       rivalled("one that was about to claim more dies as well", longer, Point::trying,
                Fate::dies_as_well),
       rivalled("a dead one has claimed in front, unsaid", same, Point::claimed, Fate::dies_before),
       rivalled("a live one has claimed in front, unsaid", same, Point::claimed, Fate::lives),
       rivalled("a dead one owns the claim in front", longer, Point::owned, Fate::dies_before),
       overtaken("overtaken by a live one, as long", same, Point::claimed, Fate::lives),
       overtaken("overtaken by a live one, longer", longer, Point::owned, Fate::lives),
       overtaken("overtaken by one that dies as well, as long", same, Point::claimed,
                 Fate::dies_as_well),
       overtaken("overtaken by one that dies as well, longer", longer, Point::claimed,
                 Fate::dies_as_well),
       overtaken("overtaken by one as long, of two offsets", as_long_of_two, Point::claimed,
                 Fate::dies_as_well)});
}

}  // namespace ringway::proof
