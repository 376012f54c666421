#include "tools/stage/interruption.hpp"

#include <signal.h>

#include <atomic>

namespace ringway::cli {

namespace {

std::atomic<int> came{0};

}  // namespace

void remember_signals() {
  struct sigaction action{};
  action.sa_handler = [](int signal) { came.store(signal); };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

void check_interrupted() {
  if (const int signal = came.load()) throw Interrupted{signal};
}

}  // namespace ringway::cli
