#include "tools/stage/interruption.hpp"

#include <signal.h>
#include <sys/time.h>

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

const int Deadline::kSignal = SIGALRM;

Deadline::Deadline(std::chrono::nanoseconds within) {
  struct sigaction action{};
  action.sa_handler = [](int signal) {
    int none = 0;  // who asked before is the one who asked
    came.compare_exchange_strong(none, signal);
  };
  ::sigaction(kSignal, &action, nullptr);
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(within).count();
  const itimerval timer{{}, {whole / 1'000'000, whole % 1'000'000}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

Deadline::~Deadline() {
  const itimerval none{};
  ::setitimer(ITIMER_REAL, &none, nullptr);
  ::signal(kSignal, SIG_DFL);
  int of_it = kSignal;
  came.compare_exchange_strong(of_it, 0);  // nobody is asked to leave any more
}

}  // namespace ringway::cli
