#include "tools/stop_signal.hpp"

#include <csignal>
#include <initializer_list>

namespace ringway::cli {
namespace {

// Written while no handler is installed, but for the flag.
void (*interrupt_handle)(void*) = nullptr;
void* interrupted_handle = nullptr;
volatile std::sig_atomic_t stop_requested = 0;

void on_signal(int) {
  stop_requested = 1;
  if (interrupt_handle != nullptr) interrupt_handle(interrupted_handle);
}

void set_handler(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  static_cast<void>(sigaction(signal, &action, nullptr));
}

}  // namespace

StopSignal::StopSignal(void (*interrupt)(void*), void* handle) {
  interrupt_handle = interrupt;
  interrupted_handle = handle;
  stop_requested = 0;
  // No SA_RESTART: a blocked read(2) or write(2) is to return.
  const int once = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM}) set_handler(signal, on_signal, once);
}

StopSignal::~StopSignal() {
  for (const int signal : {SIGINT, SIGTERM}) set_handler(signal, SIG_DFL, 0);
}

bool StopSignal::requested() const noexcept {
  return stop_requested != 0;
}

}  // namespace ringway::cli
