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
    Quantity{"SIZE",
             "is an integer, of bytes or with KiB, MiB, GiB or TiB (K, M, G, T mean the same)."},
    Quantity{"DUR", "is integers with us, ms, s, m, h or d: 5ms, 3s, 1h30m, 7d."},
    Quantity{
        "TIME",
        "is RFC 3339 with a zone, a day (UTC), or Unix time: seconds below 10,000,000,000, else "
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
    "Data goes to standard output, everything else to standard error: errors too, as "
    "'ringway: thing: rule; fix', or with --output json and jsonl as one line "
    "{\"error\":{\"code\",\"thing\",\"rule\",\"fix\"}}. Colour only on a terminal and without "
    "NO_COLOR.";

/// `ringway` as it is used, for who sees it for the first time.
inline constexpr std::string_view kFirstExamples =
    "  ringway topic create orders\n"
    "  seq 1000 | ringway produce orders\n"
    "  ringway consume orders -o start -e     # everything there is\n"
    "  ringway status";

/// Whether the help of one of its options has the word.
bool speaks_of(const CLI::App& verb, std::string_view word);

/// Broken at spaces, so that no line is wider than 80 columns; all but the first are indented.
std::string wrapped(std::string_view text, std::size_t indent);
/// How what a verb is for begins: one line of a list.
std::string in_short(const std::string& why);

/// "-p, --partition".
std::string names_of(const CLI::Option& option);
/// "DUR"; "U,@G ..." where there may be several; empty of a flag.
std::string value_of(const CLI::Option& option);
/// What it is for, its default, and which others it needs or excludes; without a full stop.
std::string about(const CLI::Option& option);
/// What a verb takes beside options, each behind a space.
std::string arguments_of(const CLI::App& verb);

/// Below the help of `ringway`; below a noun's, where to go on.
std::string general_footer();
std::string noun_footer(const std::string& noun);
/// Below a verb's: the quantities that its options take, and the verb as it is used.
std::string verb_footer(const CLI::App& verb, const std::string& examples);

}  // namespace ringway::cli
