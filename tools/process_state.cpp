#include "tools/process_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "ringway/error.hpp"
#include "shm/process.hpp"

namespace ringway::cli {

std::string_view process_state(const layout::ProcessId& process, Recorded recorded) {
  try {
    // A boot ends the processes of every namespace.
    const bool this_boot = std::ranges::equal(process.boot_id, shm::own_identity().boot_id);
    const auto pidfd = shm::open_process(process);
    if (!pidfd) return this_boot && recorded == Recorded::somewhere ? "unknown" : "dead";
    if (shm::is_dead(pidfd->get())) return "dead";
  } catch (const Error&) {
    return "unknown";
  }
  std::ifstream file(fmt::format("/proc/{}/stat", process.pid));
  std::string stat;
  std::getline(file, stat);
  // The state follows the command's name, which may hold anything, also parentheses.
  const std::size_t end = stat.rfind(") ");
  if (end == std::string::npos || end + 2 >= stat.size()) return "unknown";
  const char state = stat[end + 2];
  return state == 'T' || state == 't' ? "stopped" : "alive";
}

bool is_here(const layout::ProcessId& process) {
  const std::string_view state = process_state(process, Recorded::somewhere);
  return process.start_ticks != 0 && (state == "alive" || state == "stopped");
}

}  // namespace ringway::cli
