#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace ringway::daemon {

/// The command line of ringwayd, as written.
struct Written {
  std::string config_file, socket, runtime_dir, state_dir, metrics_socket, metrics_listen;
  std::vector<std::string> keeper;
  bool check = false, print = false, sample = false;
};

/// For --help and the manual.
inline constexpr const char* kWhereKeysComeFrom =
    "A key of the file may also be given as an environment variable: limits.memory as "
    "RINGWAYD_LIMITS_MEMORY. Without --config the file is that of $RINGWAYD_CONFIG, else "
    "/etc/ringway/ringwayd.toml (root, system services) or "
    "$XDG_CONFIG_HOME/ringway/ringwayd.toml, if there is one. SIGHUP reads all of it again.";

/// What ringwayd takes, without a footer. `into` must outlive it.
std::unique_ptr<CLI::App> grammar(Written& into);

}  // namespace ringway::daemon
