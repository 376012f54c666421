#pragma once

#include <string_view>

#include "layout/board.hpp"

namespace ringway::cli {

/// Of which pid namespace the pids are that somebody has recorded.
enum class Recorded {
  here,       ///< of this one: a pid that nobody has is proof of death
  somewhere,  ///< of this one or another
};

/// "alive", "stopped" (SIGSTOP, or under a debugger), "dead", or "unknown": where /proc is hidden,
/// or where nobody has that pid here and it may be another namespace's.
std::string_view process_state(const layout::ProcessId& process, Recorded recorded);

/// Whether that process is here and has not ended. What was recorded with it was recorded here.
bool is_here(const layout::ProcessId& process);

}  // namespace ringway::cli
