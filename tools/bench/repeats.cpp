#include "tools/bench/repeats.hpp"

#include <algorithm>
#include <utility>

namespace ringway::cli {

Measured best_of(const std::vector<Measured>& variants, const Figure& figure,
                 Comparison::Better better) {
  const auto worse = [&](const Measured& a, const Measured& b) {
    const auto& left = a.figures.*figure.value;
    const auto& right = b.figures.*figure.value;
    if (!left || !right) return !left && right;
    return better == Comparison::Better::higher ? *left < *right : *left > *right;
  };
  Measured best = *std::max_element(variants.begin(), variants.end(), worse);
  for (const Measured& each : variants) {
    best.more["variants"][each.variant] = json_number(each.figures.*figure.value);
  }
  best.more["variants_of"] = figure.name;
  return best;
}

bool steady(const std::optional<double>& before, const std::optional<double>& after) {
  if (!before || !after) return false;
  const auto [low, high] = std::minmax(*before, *after);
  return high <= low * (1 + kLineMayMove);
}

Turns take_turns(const std::vector<Measure>& contenders, std::uint32_t times,
                 const std::function<std::optional<double>()>& line_ns, const MayRedo& may_redo,
                 const std::optional<LimitAgain>& again) {
  Turns turns;
  while (turns.kept.size() < times) {
    Turn turn{line_ns(), {}, false, {}};
    for (const Measure& measure : contenders) turn.of.push_back(measure());
    turn.line_after_ns = line_ns();
    turn.steady = steady(turn.line_before_ns, turn.line_after_ns);
    if (again) {
      Measured& limit = turn.of.front();
      const std::optional<double> after = again->measure().figures.*again->figure.value;
      limit.more["after"] = json_number(after);
      turn.steady = turn.steady && steady(limit.figures.*again->figure.value, after);
    }
    if (!turn.steady && turns.redone < times && may_redo()) {
      ++turns.redone;
      continue;
    }
    turns.kept.push_back(std::move(turn));
  }
  return turns;
}

void compare(Comparison& row, const Turns& turns, std::size_t ours, std::size_t limit,
             const Figure& figure) {
  row.ratio_of = figure.name;
  row.redone = turns.redone;
  for (const Turn& turn : turns.kept) {
    const Measured& a = turn.of[limit];
    const Measured& b = turn.of[ours];
    row.repeats.push_back({.figures = b.figures,
                           .limit = a.figures,
                           .variant = a.variant,
                           .line_before_ns = turn.line_before_ns,
                           .line_after_ns = turn.line_after_ns,
                           .steady = turn.steady,
                           .ratio = ratio_between(figure, b.figures, a.figures),
                           .more = b.more,
                           .limit_more = a.more});
  }
}

}  // namespace ringway::cli
