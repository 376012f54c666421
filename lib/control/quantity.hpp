#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

// Sizes and durations as people write and read them. Parsers throw Error(usage) that names the
// flag with its text, the rule, and an example as the fix.

namespace ringway::control {

/// SIZE: an integer and B, KiB, MiB, GiB or TiB, with at most one space between; K, M, G, T mean
/// the same; no unit means bytes. Refuses what does not fit 64 bits.
std::uint64_t parse_size(std::string_view flag, std::string_view text);

/// DUR: integers with us, ms, s, m, h or d, from large units to small: 5ms, 3s, 1h30m, 7d.
/// Never negative; at most about 292 years.
std::chrono::nanoseconds parse_duration(std::string_view flag, std::string_view text);

/// "16 MiB", "1.5 GiB", "700 B". Rounded to a tenth; whole numbers can be parsed again.
std::string format_size(std::uint64_t bytes);

/// "1 record", "2 records".
std::string counted(std::uint64_t count, std::string_view thing);

/// "850 ns", "12.5 us", "3.2 s", "2m 5s", "7d 3h". Rounded to a tenth, or cut to two units.
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace ringway::control
