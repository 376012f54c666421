#include "daemon/config_value.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ringway::daemon {
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

std::string toml_string(const std::string& text) {
  std::ostringstream written;
  written << toml::toml_formatter(toml::value<std::string>(text), toml::format_flags::none);
  return written.str();
}

std::string suggestion(std::string_view unknown, std::span<const std::string_view> known) {
  const auto nearest = std::ranges::min_element(
      known, {}, [&](std::string_view name) { return edit_distance(unknown, name); });
  if (nearest != known.end() && edit_distance(unknown, *nearest) <= 1 + unknown.size() / 3) {
    return fmt::format("did you mean '{}'?", *nearest);
  }
  return "ringwayd --help lists the keys";
}

}  // namespace ringway::daemon
