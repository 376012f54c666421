#pragma once

#include <string>

namespace ringway::daemon {

/// Tells the service manager, where there is one (sd_notify(3)): "READY=1", "STOPPING=1",
/// "STATUS=...". Harmless elsewhere.
void notify(const std::string& state);

}  // namespace ringway::daemon
