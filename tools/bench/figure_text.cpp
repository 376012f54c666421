#include "tools/bench/figure_text.hpp"

#include <fmt/format.h>

#include <cmath>

#include "tools/bench/figures.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

std::string rate_text(double per_s) {
  if (per_s >= 1e9) return fmt::format("{:.2f} G/s", per_s / 1e9);
  if (per_s >= 1e6) return fmt::format("{:.2f} M/s", per_s / 1e6);
  return fmt::format("{:.2f} k/s", per_s / 1e3);
}

std::string bytes_text(double per_s) {
  return per_s >= 1e8 ? fmt::format("{:.2f} GB/s", per_s / 1e9)
                      : fmt::format("{:.1f} MB/s", per_s / 1e6);
}

}  // namespace

std::string figure_text(const std::string& name, const std::optional<double>& value) {
  if (!value) return kNotMeasured;
  if (name == figure::records_per_s.name) return rate_text(*value);
  if (name == figure::bytes_per_s.name) return bytes_text(*value);
  if (*value < 10'000) return fmt::format("{:.1f} ns", *value);
  return format_duration(std::chrono::nanoseconds(std::llround(*value)));
}

std::string tick_text(const std::string& name, double value) {
  if (name == figure::records_per_s.name) return fmt::format("{:g} M/s", value / 1e6);
  if (name == figure::bytes_per_s.name) return fmt::format("{:g} GB/s", value / 1e9);
  return format_duration(std::chrono::nanoseconds(std::llround(value)));
}

}  // namespace ringway::cli
