#pragma once

#include <cstdint>

namespace ringway::daemon {

/// The minor version of the shared-memory layout that this supervisor keeps up, and writes into
/// what it serves. Chosen when the program is linked, so that a test can be a later version.
extern const std::uint16_t kServedMinor;

}  // namespace ringway::daemon
