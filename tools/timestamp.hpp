#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringway::cli {

// TIME, as CLOCK_REALTIME nanoseconds since 1970 (1677 to 2262), is one of
//   RFC 3339 with zone      2024-02-14T10:30:00Z, 2024-02-14T10:30:00.5+05:30
//   a day, UTC              2024-02-14
//   Unix time               an integer: below 10,000,000,000 it counts seconds, from there on
//                           milliseconds. So ten digits are seconds until the year 2286 and
//                           thirteen are milliseconds since 2001.

/// A TIME at the front of a longer text.
struct TimePrefix {
  std::int64_t ns;
  std::size_t characters;
};

/// The TIME that starts at `text[at]` and ends at a colon or with the text.
/// Throws Error(usage) naming `flag`, `text` and the rule.
TimePrefix read_time(std::string_view flag, std::string_view text, std::size_t at);

/// Appends UTC with nine digits of the second, 30 characters: 2024-02-14T10:30:00.000000000Z.
/// Does not allocate but to grow `out`.
void append_rfc3339(std::string& out, std::int64_t ns);

}  // namespace ringway::cli
