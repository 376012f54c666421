#pragma once

#include "control/quantity.hpp"

namespace ringway::cli {

// The same on the command line as in the configuration.
using control::counted;
using control::format_duration;
using control::format_size;
using control::parse_duration;
using control::parse_size;

}  // namespace ringway::cli
