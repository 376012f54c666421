#pragma once

#include <string_view>

namespace ringway::cli {

/// One line on standard error for people, whatever the output format.
void note(std::string_view line);

}  // namespace ringway::cli
