// What the proof stands on: puppets stop where they are told to, and a copy that is killed leaves
// behind what the puppet itself would have left.

#include <catch2/catch.hpp>
#include <csignal>

#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {

TEST_CASE("puppet: killed itself or as a copy, it leaves the same memory at each instruction",
          "[proof]") {
  const Act act = publishes_batch(2, 60);
  Stage stage(0);
  Cast cast(stage, ring::Mapping::mirrored, 0);
  in_the_middle(cast);
  const Stage::Kept kept = stage.keep();
  std::vector<Stage::Kept> left_by_copies;
  Actor original(cast, kVictim, act);
  for (;;) {
    const Stage::Kept here = stage.keep();
    original.copy().puppet().kill();
    left_by_copies.push_back(stage.keep());
    REQUIRE(left_by_copies.back() == here);
    if (original.puppet().done()) break;
    original.step(stage);
  }
  REQUIRE(left_by_copies.size() > 50);
  REQUIRE(original.claims().size() == 1);
  for (std::size_t n = 0; n < left_by_copies.size(); n += 7) {
    stage.put_back(kept);
    Actor again(cast, kVictim, act);
    while (again.puppet().steps() < n) again.step(stage);
    again.puppet().kill();
    INFO("instruction " << n);
    CHECK(stage.keep() == left_by_copies[n]);
  }
}

TEST_CASE("puppet: a copy plays on from where the original stands", "[proof]") {
  Stage stage(0);
  Cast cast(stage, ring::Mapping::mirrored, 0);
  Actor original(cast, kVictim, publishes({100, 40}));
  original.lead_to(stage, Point::claimed);
  const Stage::Kept here = stage.keep();
  Actor copy = original.copy();
  copy.puppet().finish();
  CHECK(stage.told().committed[kVictim] == 2);
  stage.put_back(here);
  CHECK(stage.told().committed[kVictim] == 0);
  original.puppet().finish();
  CHECK(stage.told().committed[kVictim] == 2);
  cast.read();
  CHECK(cast.seen_of(kVictim) == 2);
}

TEST_CASE("puppet: a victim that faults is an error, no kill point", "[proof]") {
  Puppet puppet([] { return [] { static_cast<void>(::raise(SIGSEGV)); }; });
  const auto lead_on = [&] {
    while (!puppet.done()) puppet.step();
  };
  CHECK_THROWS_WITH(lead_on(), Catch::Contains("signal 11"));
}

}  // namespace ringway::proof
