#pragma once

#include <sys/types.h>

#include <string>

namespace ringway::cli {

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

/// The unit whose bus has its sockets in `runtime_dir`, by the place alone.
Unit unit_at(const std::string& runtime_dir);

/// `systemctl VERB UNIT`, as the unit's service manager is called.
std::string systemctl(const std::string& verb, const Unit& unit);
/// The same of the system's "NAME.socket" as well, which would start it again.
std::string systemctl_all(const std::string& verb, const Unit& unit);
/// That "NAME.socket".
std::string socket_of(const Unit& unit);
/// What to type so that a supervisor ends, and stays away.
std::string command_that_stops(pid_t pid);

}  // namespace ringway::cli
