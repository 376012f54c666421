#pragma once

#include <chrono>
#include <string>

namespace ringway::daemon {

/// Tells the service manager, where there is one (sd_notify(3)): "READY=1", "STOPPING=1",
/// "STATUS=...", "WATCHDOG=1". Harmless elsewhere.
void notify(const std::string& state);

/// Within which time it wants to hear "WATCHDOG=1" from this process, each time anew
/// (sd_watchdog_enabled(3)); 0 where it does not.
std::chrono::microseconds watchdog_patience();

}  // namespace ringway::daemon
