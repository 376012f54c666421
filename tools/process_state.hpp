#pragma once

#include <string_view>

#include "layout/board.hpp"

namespace ringway::cli {

/// "alive", "stopped" (SIGSTOP, or under a debugger), "dead", or "unknown" where /proc is hidden.
std::string_view process_state(const layout::ProcessId& process);

}  // namespace ringway::cli
