#pragma once

#include <optional>
#include <string>

namespace ringway::cli {

inline constexpr const char* kNotMeasured = "not measured";

/// A figure for people, by its name: "41.20 M/s", "3.10 GB/s", "81.5 ns", "142 ms".
std::string figure_text(const std::string& name, const std::optional<double>& value);

/// The same of a round number: "5 GB/s", "10 us".
std::string tick_text(const std::string& name, double value);

}  // namespace ringway::cli
