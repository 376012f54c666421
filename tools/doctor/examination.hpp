#pragma once

#include <string>

#include "tools/command_line.hpp"
#include "tools/doctor/facts.hpp"

namespace ringway::cli::doctor {

/// Looks at this host, and at the bus that is meant; `state_dir` "" takes the supervisor's word for
/// it. Changes nothing: what is synced to measure it is a file without a name.
Facts examine(const Common& common, const std::string& state_dir);

}  // namespace ringway::cli::doctor
