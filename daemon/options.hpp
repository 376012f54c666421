#pragma once

#include <optional>
#include <string>

#include "daemon/config.hpp"

namespace ringway::daemon {

/// What the command line of ringwayd asks for.
struct Options {
  enum class Action { serve, keep, leave };
  Action action = Action::serve;
  int exit_status = 0;                               ///< leave: everything was said
  Config config;                                     ///< serve: complete
  std::string keeper_runtime_dir, keeper_state_dir;  ///< keep
};

/// Prints what --help, --version, --check-config and --sample-config print.
/// @throws Error usage, for the configuration file.
Options parse_options(int argc, char** argv);

}  // namespace ringway::daemon
