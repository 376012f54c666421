#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "client/log_gaps.hpp"
#include "unit/duty_fixture.hpp"

namespace ringway::test {

/// A bench that remembers, of each record and level, whether a waiting producer was told that it is
/// there, or that it never comes.
struct ToldBench : DutyBench {
  using DutyBench::DutyBench;

  layout::BoardPartition& board() { return topic->view(0).board(); }

  void tell() {
    for (const Level level : {Level::written, Level::durable}) {
      auto& told = level == Level::written ? written_told : durable_told;
      told.resize(published);
      const std::uint64_t mark =
          level == Level::written ? board().written_offset.load() : board().durable_offset.load();
      for (std::uint64_t offset = 0; offset < published; ++offset) {
        const bool lost = lost_to_log(board(), offset, level);
        if (told[offset] && lost) FAIL("taken back: " << offset);
        told[offset] = told[offset] || (offset < mark && !lost);
      }
    }
  }
  /// What was told is there; what is not there, nobody is told of. `exact`: the board says what the
  /// log has, and no less.
  void check(bool exact) {
    written_told.resize(published);
    durable_told.resize(published);
    const std::vector<bool> there = in_log();
    for (std::uint64_t offset = 0; offset < published; ++offset) {
      const bool lost = lost_to_log(board(), offset, Level::written);
      if (!there[offset] && (written_told[offset] || durable_told[offset])) {
        FAIL("told, and not there: " << offset);
      }
      if (!there[offset] && !lost) FAIL("not there, and nobody is told: " << offset);
      if (there[offset] && lost && exact) FAIL("there, and called lost: " << offset);
    }
  }
  bool says(std::string_view event) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(event) != line.npos; });
  }

  std::vector<bool> written_told, durable_told;
};

}  // namespace ringway::test
