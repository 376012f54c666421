#include "tools/top/figures.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace ringway::cli::top {
namespace {

struct Scaled {
  double number;
  std::string_view unit;
};

template <std::size_t N>
Scaled scaled(double number, double base, const std::array<std::string_view, N>& units) {
  std::size_t unit = 0;
  // 999.6 would be shown as 1000.
  while (number >= base - 0.5 && unit + 1 < N) {
    number /= base;
    ++unit;
  }
  return {number, units[unit]};
}

/// Three digits that count.
std::string digits(double number) {
  if (number >= 99.95) return fmt::format("{:.0f}", number);
  return fmt::format("{:.{}f}", number, number >= 9.995 ? 1 : 2);
}

bool whole(double number) {
  return number == static_cast<double>(static_cast<std::uint64_t>(number));
}

}  // namespace

std::string compact(double number) {
  constexpr std::array<std::string_view, 6> units{"", "k", "M", "G", "T", "P"};
  if (number < 1000 && whole(number)) return fmt::format("{:.0f}", number);
  const Scaled shown = scaled(number, 1000, units);
  return digits(shown.number) + std::string(shown.unit);
}

std::string compact_bytes(double bytes) {
  constexpr std::array<std::string_view, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1023.5) return fmt::format("{:.0f} B", bytes);
  const Scaled shown = scaled(bytes, 1024, units);
  return fmt::format("{} {}", digits(shown.number), shown.unit);
}

std::string offset_text(std::uint64_t offset) {
  constexpr std::uint64_t kDigits = 1'000'000'000;
  if (offset < kDigits) return fmt::format("{}", offset);
  constexpr std::array<std::string_view, 4> units{"G", "T", "P", "E"};
  const Scaled shown = scaled(static_cast<double>(offset) / 1e9, 1000, units);
  return fmt::format("{:.3f}{}", shown.number, shown.unit);
}

}  // namespace ringway::cli::top
