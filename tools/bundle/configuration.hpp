#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace ringway::cli::bundle {

/// The command by which `ringwayd` prints the configuration it has when it is started as the
/// process `supervisor` was: as its user, where it stands, with the places its options name, and
/// with what it takes from its environment. As this shell has it where that process may not be
/// looked at.
std::vector<std::string> configuration_command(pid_t supervisor, const std::string& ringwayd);

/// The same of a service of the system that does not run: as its user, with the directories that
/// systemd gives it and with what the unit sets of what ringwayd takes from its environment.
/// `shown`: properties of the unit (kShown), a line each. `name`: of its directories.
std::vector<std::string> configuration_command(const std::string& shown, const std::string& name,
                                               const std::string& ringwayd);
inline constexpr const char* kShown = "User,Group,Environment";

}  // namespace ringway::cli::bundle
