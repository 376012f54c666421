#pragma once

#include <algorithm>
#include <optional>
#include <vector>

namespace ringway::cli {

/// The middle one, or half-way between the two in the middle; nothing of nothing.
inline std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace ringway::cli
