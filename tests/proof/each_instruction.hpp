#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proof/points.hpp"
#include "proof/scene.hpp"

namespace ringway::proof {

/// Kill points of one operation, and what was found wrong behind them.
class Tally {
 public:
  /// The puppet stands where it is to be killed or stopped; `play` is all that follows.
  template <class Play>
  void point(const Puppet& puppet, Play&& play) {
    ++points_;
    if (puppet.in_own_code()) ++sure_points_;
    const std::uint64_t n = puppet.steps();
    try {
      play();
    } catch (const Violation& violation) {
      if (violations_++ == 0) first_ = fmt::format("instruction {}: {}", n, violation.what());
    }
  }

  /// Prints its line; fails the running test at violations and where there are too few points.
  void report(const std::string& operation) const {
    fmt::print("{:<62} {:>6} {:>6} {:>6} {:>10}\n", operation, points_, sure_points_, "-",
               violations_);
    std::fflush(stdout);
    INFO(first_);
    CHECK(violations_ == 0);
    CHECK(sure_points_ >= recorded_points(operation));
  }

 private:
  std::uint64_t points_ = 0, sure_points_ = 0, violations_ = 0;
  std::string first_;
};

/// Calls `play(n)` for n = 0, 1, 2, … until it says that the victim has no such instruction; it
/// does all else within Tally::point(). `stride`: of an operation that is long, every so manieth;
/// with RINGWAY_TEST_LONG all.
template <class Play>
void for_every_instruction(Play&& play, std::uint64_t stride = 1) {
  if (std::getenv("RINGWAY_TEST_LONG") != nullptr) stride = 1;
  for (std::uint64_t n = 0; play(n); n += stride) {
  }
}

/// False: it is done before.
inline bool step_to(Actor& actor, const Stage& stage, std::uint64_t n) {
  while (actor.puppet().steps() < n && !actor.puppet().done()) actor.step(stage);
  return actor.puppet().steps() >= n;
}

}  // namespace ringway::proof
