#pragma once

#include "daemon/options.hpp"

namespace ringway::daemon {

/// Runs a supervisor in this thread until a signal ends it: SIGTERM and SIGINT in an orderly way,
/// SIGUSR1 at once, with the rings left to the next one. SIGHUP reads the configuration again.
/// Returns the exit status. @throws Error naming what is in the way of a start.
int serve(Options options);

}  // namespace ringway::daemon
