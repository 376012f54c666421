#pragma once

#include <map>
#include <string>

#include "tools/command_line.hpp"

namespace ringway::man {

/// File names and what is in them.
using Pages = std::map<std::string, std::string>;

/// ringway.1, and a page for every verb, of what their --help says.
void add_verb_pages(Pages& pages, const cli::CommandLine& line);

}  // namespace ringway::man
