#pragma once

#include <string>
#include <string_view>

namespace ringway::control {

/// `word` as a shell takes it, for the commands that errors name.
std::string shell_quoted(std::string_view word);

}  // namespace ringway::control
