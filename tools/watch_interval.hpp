#pragma once

#include <chrono>
#include <string>

namespace ringway::cli {

/// --interval of who looks again and again; "" is a second. Throws Error(usage) for less than
/// 100 ms, which would rather load the bus than show it, and for more than an hour.
std::chrono::nanoseconds parse_interval(const std::string& text);

}  // namespace ringway::cli
