#include "tools/top/sparkline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace ringway::cli::top {
namespace {

// Nothing at all has a character of its own, so that a little differs from it.
constexpr std::array<std::string_view, 9> kBlocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 9> kAscii{" ", ".", ":", "-", "=", "+", "*", "#", "@"};

}  // namespace

std::string sparkline(const std::deque<double>& values, std::size_t width, Characters characters) {
  const std::size_t shown = std::min(width, values.size());
  const auto first = values.end() - static_cast<std::ptrdiff_t>(shown);
  const double highest = shown == 0 ? 0 : *std::max_element(first, values.end());
  const auto& levels = characters == Characters::utf8 ? kBlocks : kAscii;
  std::string line(width - shown, ' ');
  for (auto value = first; value != values.end(); ++value) {
    const double part = highest > 0 ? std::clamp(*value / highest, 0.0, 1.0) : 0;
    line += levels[static_cast<std::size_t>(std::ceil(part * 8))];
  }
  return line;
}

}  // namespace ringway::cli::top
