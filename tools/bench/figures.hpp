#pragma once

#include <array>
#include <cmath>
#include <optional>

#include "tools/output.hpp"

namespace ringway::cli {

/// What a measurement says. What was not measured is nothing: null in JSON, never an estimate.
struct Figures {
  std::optional<double> records_per_s;
  std::optional<double> bytes_per_s;  ///< of whole slots: headers and padding included
  std::optional<double> p50_ns;
  std::optional<double> p99_ns;
  std::optional<double> p999_ns;
  std::optional<double> cpu_ns_per_record;  ///< of all processes that took part
};

/// One of the Figures, by its name.
struct Figure {
  const char* name;
  std::optional<double> Figures::* value;
};

namespace figure {
inline constexpr Figure records_per_s{"records_per_s", &Figures::records_per_s};
inline constexpr Figure bytes_per_s{"bytes_per_s", &Figures::bytes_per_s};
inline constexpr Figure p50_ns{"p50_ns", &Figures::p50_ns};
inline constexpr Figure p99_ns{"p99_ns", &Figures::p99_ns};
inline constexpr Figure p999_ns{"p999_ns", &Figures::p999_ns};
inline constexpr Figure cpu_ns_per_record{"cpu_ns_per_record", &Figures::cpu_ns_per_record};
inline constexpr std::array all{records_per_s, bytes_per_s, p50_ns,
                                p99_ns,        p999_ns,     cpu_ns_per_record};
}  // namespace figure

/// Rounded to thousandths, which is finer than anything here is measured; null for nothing.
inline Json json_number(const std::optional<double>& value) {
  if (!value) return nullptr;
  const double rounded = std::round(*value * 1000) / 1000;
  if (std::abs(rounded) < 1e6) return rounded;
  return static_cast<std::int64_t>(rounded);
}

/// All of the names, in their order.
inline Json json_of(const Figures& figures) {
  Json json = Json::object();
  for (const Figure& each : figure::all) json[each.name] = json_number(figures.*each.value);
  return json;
}

}  // namespace ringway::cli
