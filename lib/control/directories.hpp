#pragma once

#include <sys/types.h>

#include <string>

namespace ringway::control {

/// Creates the directory and those missing above it, each with exactly this mode. One that exists
/// is left as it is.
/// @throws Error naming the component that cannot be created.
void create_directories(const std::string& path, mode_t mode);

}  // namespace ringway::control
