#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace ringway::cli::bundle {

/// The unit of systemd that a process is of.
struct Unit {
  std::string name{};    ///< "" for none
  bool of_user = false;  ///< of a user's own service manager
};

/// By what /proc/PID/cgroup says.
Unit unit_in(const std::string& cgroup);
Unit unit_of(pid_t pid);

/// Whether it runs ringwayd, and no program that has a supervisor inside of it.
bool is_ringwayd(pid_t pid);

/// Whether it is systemd, the system's or a user's.
bool is_service_manager(pid_t pid);

/// The command that shows its state and limits. Not its environment and command lines: they may
/// be confidential.
std::vector<std::string> state_command(const Unit& unit);
/// The command that shows the end of its journal.
std::vector<std::string> journal_command(const Unit& unit);

}  // namespace ringway::cli::bundle
