#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "tools/failure.hpp"

// What --help and the man pages say of every verb, beside what the verb says of itself.

namespace ringway::cli {

/// What people write where an option's help has the word.
struct Quantity {
  std::string_view word;
  std::string_view meaning;
};
inline constexpr std::array kQuantities{
    Quantity{"SIZE", "is an integer with B, KiB, MiB, GiB or TiB (K, M, G, T mean the same)."},
    Quantity{"DUR", "is integers with us, ms, s, m, h or d: 5ms, 3s, 1h30m, 7d."},
    Quantity{
        "TIME",
        "is RFC 3339 with a zone, a day (UTC), or Unix time: seconds below 10,000,000,000, else\n"
        "milliseconds."}};

struct ExitMeaning {
  Exit exit;
  std::string_view meaning;
};
inline constexpr std::array kExitMeanings{
    ExitMeaning{Exit::ok, "ok"},
    ExitMeaning{Exit::error, "error"},
    ExitMeaning{Exit::usage, "usage"},
    ExitMeaning{Exit::not_found, "not found"},
    ExitMeaning{Exit::denied, "denied"},
    ExitMeaning{Exit::degraded, "degraded"},
    ExitMeaning{Exit::timeout, "timeout"}};

inline constexpr std::string_view kConventions =
    "Data goes to standard output, everything else to standard error: errors too, as\n"
    "'ringway: thing: rule; fix', or with --output json and jsonl as one line\n"
    "{\"error\":{\"code\",\"thing\",\"rule\",\"fix\"}}. Colour only on a terminal and without "
    "NO_COLOR.\n";

/// Whether the help of one of its options has the word.
bool speaks_of(const CLI::App& verb, std::string_view word);

/// Below the help of `ringway`.
std::string general_footer();
/// Below a verb's: the quantities that its options take, and the verb as it is used.
std::string verb_footer(const CLI::App& verb, const std::string& examples);

}  // namespace ringway::cli
