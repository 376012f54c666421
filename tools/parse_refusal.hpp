#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "ringway/error.hpp"

namespace ringway::cli {

/// "topic create": the words of verbs that were understood; empty where none was.
std::string spoken(const CLI::App& root);

/// What CLI11 refused, as people are told: the word it is about, what is wrong with it, and what to
/// write instead.
Error refusal_of(const CLI::ParseError& refused, const CLI::App& root);

}  // namespace ringway::cli
