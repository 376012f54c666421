#include "daemon/notify.hpp"

#if defined(RINGWAY_HAS_SYSTEMD)
#include <systemd/sd-daemon.h>
#endif

namespace ringway::daemon {

void notify([[maybe_unused]] const std::string& state) {
#if defined(RINGWAY_HAS_SYSTEMD)
  // Not told is not heard: nothing here depends on it.
  static_cast<void>(::sd_notify(0, state.c_str()));
#endif
}

}  // namespace ringway::daemon
