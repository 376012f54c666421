#pragma once

#include <string>

#include "tools/output.hpp"

namespace ringway::cli {

/// What `ringway --version` prints: the versions of library, layout, log and protocol.
std::string version_text(Format format);

}  // namespace ringway::cli
