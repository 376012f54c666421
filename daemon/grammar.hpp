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
    "An option goes over an environment variable, that over the file, that over the\n"
    "default. The variable of the key limits.memory is RINGWAYD_LIMITS_MEMORY; rights\n"
    "to topics are RINGWAYD_TOPICS={NAME = {readers = [\"USER\"]}}.\n"
    "Without --config the file is that of $RINGWAYD_CONFIG, else ringwayd.toml in\n"
    "$CONFIGURATION_DIRECTORY (of a service), /etc/ringway (root, system services) or\n"
    "$XDG_CONFIG_HOME/ringway (else ~/.config/ringway), if there is one. SIGHUP reads\n"
    "all of it again.";

/// What ringwayd takes, without a footer. `into` must outlive it.
std::unique_ptr<CLI::App> grammar(Written& into);

}  // namespace ringway::daemon
