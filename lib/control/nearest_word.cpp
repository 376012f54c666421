#include "control/nearest_word.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace ringway::control {
namespace {

/// How many letters must be put in, left out or changed to make one from the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t changed = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string_view> nearest_word(std::string_view unknown,
                                             std::span<const std::string_view> known) {
  const auto nearest = std::ranges::min_element(
      known, {}, [&](std::string_view word) { return edit_distance(unknown, word); });
  if (nearest == known.end()) return std::nullopt;
  if (edit_distance(unknown, *nearest) > 1 + unknown.size() / 3) return std::nullopt;
  return *nearest;
}

}  // namespace ringway::control
