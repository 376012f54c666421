#pragma once

#include <string_view>

namespace ringway::daemon {

/// What was asked for, on standard output. @throws Error when that cannot be written.
void print(std::string_view text);

/// A line on standard error, with the program's name before it. Who gave that no room, or closed
/// it, does not want to know: the exit status tells.
void complain(std::string_view line) noexcept;

}  // namespace ringway::daemon
