#include "tools/process_state.hpp"

#include <fmt/format.h>

#include <fstream>
#include <string>

#include "ringway/error.hpp"
#include "shm/process.hpp"

namespace ringway::cli {

std::string_view process_state(const layout::ProcessId& process) {
  try {
    const auto pidfd = shm::open_process(process);
    if (!pidfd || shm::is_dead(pidfd->get())) return "dead";
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

}  // namespace ringway::cli
