#pragma once

#include <fmt/format.h>

#include <string>

#include "tools/output.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {

/// "cpus 2, ring 64 KiB": the settings of a benchmark, for people.
inline std::string setting_text(const Json& settings) {
  std::string text;
  for (const auto& [name, value] : settings.items()) {
    const bool bytes = name.ends_with("_bytes") && value.is_number_unsigned();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                        bytes ? name.substr(0, name.size() - 6) : name,
                        bytes               ? format_size(value.get<std::uint64_t>())
                        : value.is_string() ? value.get<std::string>()
                                            : value.dump());
  }
  return text;
}

}  // namespace ringway::cli
