#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/comparison.hpp"
#include "tools/bench/figures.hpp"

// A limit and what is held against it, in turn: A-B-A-B. Both then meet the machine in the same
// state, and one ratio a repeat is what is compared, not figures of different minutes.

namespace ringway::cli {

struct Measured {
  Figures figures;
  std::string variant;         ///< which one it was, of several
  Json more = Json::object();  ///< what else is to be told of it
};

/// The one whose figure is best; the first one where nothing was measured. Tells what each of them
/// reached: "variants", the figure "variants_of" by name.
Measured best_of(const std::vector<Measured>& variants, const Figure& figure,
                 Comparison::Better better);

using Measure = std::function<Measured()>;

/// The first contender's measurement once more, of what it depends on beside the cores, and what of
/// it must not have moved since by more than a line may.
struct LimitAgain {
  Measure measure;
  Figure figure;
};

/// One turn of each, in the order they were given, between two looks at the line's time.
struct Turn {
  std::optional<double> line_before_ns;
  std::optional<double> line_after_ns;
  bool steady;
  std::vector<Measured> of;
};

struct Turns {
  std::vector<Turn> kept;
  std::uint32_t redone = 0;
};

/// Cores of a virtual machine move together and apart. A line's time that moved by more tells that
/// they did so within the repeat.
inline constexpr double kLineMayMove = 0.25;

/// Whether two looks, at the line's time or another, saw the same: within kLineMayMove of the
/// smaller one. Not when one of them saw nothing.
bool steady(const std::optional<double>& before, const std::optional<double>& after);

/// Whether a turn may be done again: asked before each that is to be.
using MayRedo = std::function<bool()>;

/// `times` turns of all of `contenders`, and of `again`, where there is one: "after" tells of the
/// first what that gave. A turn that was not steady is done again, in all at most `times` of them,
/// and where `may_redo` agrees; else they are kept as they are, and say so.
Turns take_turns(
    const std::vector<Measure>& contenders, std::uint32_t times,
    const std::function<std::optional<double>()>& line_ns,
    const MayRedo& may_redo = [] { return true; },
    const std::optional<LimitAgain>& again = std::nullopt);

/// Fills in repeats and redone: contender `ours` held against contender `limit`.
void compare(Comparison& row, const Turns& turns, std::size_t ours, std::size_t limit,
             const Figure& figure);

}  // namespace ringway::cli
