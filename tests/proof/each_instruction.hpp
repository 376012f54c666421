#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdint>
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

/// Calls `play(copy)` behind each instruction of the victim, the 0th to the last, with a copy of it
/// that stands there; then memory is put back. Of all else that `play` moves it takes a copy of its
/// own.
template <class Play>
void behind_each_instruction(Tally& tally, Stage& stage, Actor& victim, Play&& play) {
  for (;; victim.step(stage)) {
    const Stage::Kept kept = stage.keep();
    Actor here = victim.copy();
    tally.point(here.puppet(), [&] { play(here); });
    stage.put_back(kept);
    if (victim.puppet().done()) return;
  }
}

}  // namespace ringway::proof
