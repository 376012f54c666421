// A producer is killed between any two instructions of giving claims up, and of its next record.

#include <catch2/catch.hpp>

#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {

TEST_CASE("abort: killed at every instruction, its offsets are used up and nothing else",
          "[proof]") {
  const auto scene = [](std::string state, std::uint32_t records,
                        std::function<void(Cast&)> beginning,
                        ring::Mapping mapping = ring::Mapping::mirrored) {
    return Scene{.state = std::move(state),
                 .victim = aborts(records, 200),
                 .beginning = std::move(beginning),
                 .mapping = mapping};
  };
  perform("abort", {scene("a record, in the middle of a later lap", 1, in_the_middle),
                    scene("a batch of three, behind an open claim", 3, behind_an_open_claim),
                    scene("a batch across the end, mapped twice", 3, before_the_wrap),
                    scene("a record at the end, mapped once, with filler", 2, before_the_wrap,
                          ring::Mapping::single)});
}

}  // namespace ringway::proof
