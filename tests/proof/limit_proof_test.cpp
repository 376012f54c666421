// The supervisor is killed between any two instructions of publishing what it knows: committed and
// the boundary table, nonces, announced and limit; the next one goes on.

#include <catch2/catch.hpp>

#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {
namespace {

/// A round of publish_limit for all that the consumer has read.
Act publishes_limit() {
  return [](Cast& cast, Seat) -> Puppet::Part {
    auto own = std::make_shared<Cast>(cast);
    own->follow();
    return [own] { own->publish_limit(); };
  };
}

Act follows() {
  return [](Cast& cast, Seat) -> Puppet::Part {
    auto own = std::make_shared<Cast>(cast);
    return [own] { own->follow(); };
  };
}

/// Some quarter of a ring is committed and read, and not handed back.
void much_was_read(Cast& cast) {
  in_the_middle(cast);
  for (int i = 0; i < 22; ++i) cast.publish(700);
  cast.read();
}

/// The ring is full, and all of it is read.
void full_and_read(Cast& cast) {
  in_the_middle(cast);
  cast.fill_up();
  cast.read();
}

void much_came(Cast& cast) {
  in_the_middle(cast);
  for (int i = 0; i < 6; ++i) cast.publish(1000);
  for (int i = 0; i < 4; ++i) cast.publish(40);
}

Scene scene(std::string state, Act act, std::function<void(Cast&)> beginning) {
  return {.state = std::move(state),
          .victim = std::move(act),
          .beginning = std::move(beginning),
          .role = Scene::Role::supervisor};
}

}  // namespace

TEST_CASE("limit: killed at every instruction, no old byte counts as a record", "[proof]") {
  perform("limit", {scene("a quarter of the ring is handed back", publishes_limit(), much_was_read),
                    scene("all of a full ring is handed back", publishes_limit(), full_and_read),
                    scene("a consumer holds records", publishes_limit(), held_by_a_consumer),
                    scene("there is nothing to hand back", publishes_limit(), in_the_middle)});
}

TEST_CASE("follow: killed at every instruction, the watermark and the table stay true", "[proof]") {
  const auto behind_a_dead_claim = [](Cast& cast) {
    much_came(cast);
    cast.claim_early(64);
    cast.publish(900);
  };
  const auto across_the_end = [](Cast& cast) {
    before_the_wrap(cast);
    for (int i = 0; i < 5; ++i) cast.publish(900);
  };
  perform("committed watermark and boundary table",
          {scene("records of several ring segments", follows(), much_came),
           scene("up to an open claim", follows(), behind_a_dead_claim),
           scene("across the end", follows(), across_the_end),
           scene("a record as long as two ring segments", follows(), [](Cast& cast) {
             in_the_middle(cast);
             cast.publish(9000);
             cast.publish(10);
           })});
}

}  // namespace ringway::proof
