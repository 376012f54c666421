#include "tools/watch_interval.hpp"

#include <fmt/format.h>

#include "ringway/error.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {

std::chrono::nanoseconds parse_interval(const std::string& text) {
  if (text.empty()) return std::chrono::seconds(1);
  const auto interval = parse_duration("--interval", text);
  if (interval >= std::chrono::milliseconds(100) && interval <= std::chrono::hours(1)) {
    return interval;
  }
  throw Error(ErrorCode::usage, fmt::format("--interval {}", text),
              "it is shorter than 100ms or longer than 1h", "write one in between, as 2s");
}

}  // namespace ringway::cli
