#include "daemon/notify.hpp"

#if defined(RINGWAY_HAS_SYSTEMD)
#include <systemd/sd-daemon.h>
#endif

#include <cstdint>

namespace ringway::daemon {

void notify([[maybe_unused]] const std::string& state) {
#if defined(RINGWAY_HAS_SYSTEMD)
  // Not told is not heard: nothing here depends on it.
  static_cast<void>(::sd_notify(0, state.c_str()));
#endif
}

std::chrono::microseconds watchdog_patience() {
#if defined(RINGWAY_HAS_SYSTEMD)
  std::uint64_t us = 0;
  if (::sd_watchdog_enabled(0, &us) > 0) return std::chrono::microseconds(us);
#endif
  return {};
}

}  // namespace ringway::daemon
