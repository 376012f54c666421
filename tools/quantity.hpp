#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "control/quantity.hpp"

namespace ringway::cli {

// The same on the command line as in the configuration.
using control::format_duration;
using control::format_size;
using control::parse_duration;
using control::parse_size;

/// "1 record", "2 records".
inline std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

}  // namespace ringway::cli
