#pragma once

#include <functional>
#include <string>

#include "daemon/configuration.hpp"

namespace ringway::daemon {

/// What the command line of ringwayd asks for.
struct Options {
  enum class Action { serve, keep, leave };
  Action action = Action::serve;
  int exit_status = 0;                               ///< leave: everything was said
  Configuration configuration;                       ///< serve: complete
  /// serve: the same again, as it is by then. @throws Error usage.
  std::function<Configuration(MustExist)> read_configuration;
  std::string keeper_runtime_dir, keeper_state_dir;  ///< keep
};

/// Prints what --help, --version, --check-config, --print-config and --sample-config print.
/// @throws Error usage, for the configuration file.
Options parse_options(int argc, char** argv);

}  // namespace ringway::daemon
