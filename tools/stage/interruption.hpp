#pragma once

namespace ringway::cli {

/// Thrown where the program waits, once a signal asked it to leave; destructors then clean up.
struct Interrupted {
  int signal;
};

/// From now on SIGINT, SIGTERM and SIGHUP are only remembered.
void remember_signals();
/// Throws Interrupted when one came.
void check_interrupted();

}  // namespace ringway::cli
