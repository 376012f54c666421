#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "layout/board.hpp"

namespace ringway::cli {

/// The pids of one process by the text of its /proc/PID/status: as /proc has it first, as its own
/// namespace has it last.
std::vector<pid_t> pids_in(const std::string& status);

/// The same of a process; {} when there is none, or it cannot be looked at.
std::vector<pid_t> pids_of(pid_t pid);

/// Whether a process, by its pid in /proc, is of this process's own pid namespace.
bool shares_pid_namespace(pid_t pid);

/// Whether this process sees those of all namespaces, or only of its own and those below.
bool sees_all_pid_namespaces();

/// The processes of pid namespaces below this one, as they were at one moment.
class InnerProcesses {
 public:
  InnerProcesses();

  /// Their pids here whose own namespace calls them `pid`.
  std::vector<pid_t> called(pid_t pid) const;
  /// Who named itself so in its own namespace.
  std::optional<layout::ProcessId> find(const layout::ProcessId& named) const;

 private:
  std::multimap<pid_t, pid_t> here_;  ///< by their own pid
};

}  // namespace ringway::cli
