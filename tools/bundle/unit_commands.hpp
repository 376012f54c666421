#pragma once

#include <string>
#include <vector>

#include "tools/service_unit.hpp"

namespace ringway::cli::bundle {

/// The command that shows its state and limits. Not its environment and command lines: they may
/// be confidential.
std::vector<std::string> state_command(const Unit& unit);
/// The command that shows the end of its journal.
std::vector<std::string> journal_command(const Unit& unit);

}  // namespace ringway::cli::bundle
