#pragma once

#include <map>
#include <string>

#include "tools/command_line.hpp"

namespace ringway::man {

/// File names and what is in them.
using Pages = std::map<std::string, std::string>;

/// ringway.1, and a page for every verb, of what their --help says.
void add_verb_pages(Pages& pages, const cli::CommandLine& line);

/// An option as it is typed: "-o, --offset".
std::string names_of(const CLI::Option& option);
/// What stands behind it; "" for a flag.
std::string value_of(const CLI::Option& option);

}  // namespace ringway::man
