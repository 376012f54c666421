#pragma once

#include <chrono>

namespace ringway::cli {

/// Thrown where the program waits, once a signal asked it to leave; destructors then clean up.
struct Interrupted {
  int signal;
};

/// From now on SIGINT, SIGTERM and SIGHUP are only remembered.
void remember_signals();
/// Throws Interrupted when one came.
void check_interrupted();

/// A time by which the program leaves what it is at, as if a signal had asked it to: kSignal, which
/// is then the one that came. One at a time, behind remember_signals(). What is forked meanwhile
/// does not have it.
class Deadline {
 public:
  static const int kSignal;

  explicit Deadline(std::chrono::nanoseconds within);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline();
};

}  // namespace ringway::cli
