#include "proof/hunt.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

namespace ringway::proof {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSystemCallStop = SIGTRAP | 0x80;
/// A thread that runs comes to its next system call soon; one that waits may take long.
constexpr int kLooksAtOnce = 50;
constexpr std::chrono::microseconds kLookAgain{50};

/// False when the thread is gone, as after a kill -9 of its process.
bool trace(__ptrace_request request, pid_t thread, std::uint64_t data = 0) {
  if (::ptrace(request, thread, nullptr, reinterpret_cast<void*>(data)) == 0) return true;
  if (errno == ESRCH) return false;
  throw std::system_error(errno, std::generic_category(), "ptrace");
}

}  // namespace

Hunt::Hunt(pid_t pid) : pid_(pid) {
  // Until a look finds no thread that is not held yet: those that are held make no more.
  for (bool found = true; found;) {
    found = false;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
      const pid_t thread = std::stoi(entry.path().filename());
      if (threads_.contains(thread)) continue;
      seize(thread);
      found = true;
    }
  }
  for (const auto& [thread, runs] : threads_) resume(thread, 0);
}

Hunt::~Hunt() {
  if (!ended_) kill();
}

void Hunt::seize(pid_t thread) {
  constexpr std::uint64_t kOptions =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (!trace(PTRACE_SEIZE, thread, kOptions) || !trace(PTRACE_INTERRUPT, thread)) return;
  int status = 0;
  if (::waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status)) threads_[thread] = false;
}

void Hunt::resume(pid_t thread, int signal) {
  threads_[thread] = trace(PTRACE_SYSCALL, thread, static_cast<std::uint64_t>(signal));
}

/// True when the thread stands at a boundary now.
bool Hunt::take_in(pid_t thread, int status) {
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    threads_.erase(thread);
    if (thread == pid_) ended_ = true;
    return false;
  }
  threads_[thread] = false;
  const int signal = WSTOPSIG(status);
  if (signal == kSystemCallStop) {
    if (!reads_a_clock(thread)) return true;
    resume(thread, 0);
    return false;
  }
  // New threads and stops by the tracer's own doing are no signals of the process.
  const bool own = status >> 16 != 0 || signal == SIGTRAP || signal == SIGSTOP;
  resume(thread, own ? 0 : signal);
  return false;
}

bool Hunt::reads_a_clock(pid_t thread) {
  __ptrace_syscall_info info{};
  const long told = ::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), thread,
                             reinterpret_cast<void*>(sizeof info), &info);
  if (told > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    clock_[thread] = info.entry.nr == SYS_clock_gettime || info.entry.nr == SYS_gettimeofday ||
                     info.entry.nr == SYS_time;
  }
  return clock_[thread];
}

/// The thread that something happened to; 0: nothing did for so long; -1: none is left.
pid_t Hunt::await(int& status, int patience_ms) const {
  const auto until = Clock::now() + std::chrono::milliseconds(patience_ms);
  for (int looks = 0;; ++looks) {
    const pid_t thread = ::waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
    if (thread > 0) return thread;
    if (thread < 0 && errno == ECHILD) return -1;
    if (thread == 0 && Clock::now() > until) return 0;
    if (looks < kLooksAtOnce) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kLookAgain);
    }
  }
}

Hunt::Went Hunt::to_boundary(int patience_ms) {
  if (standing_ > 0 && !ended_) resume(standing_, 0);
  standing_ = -1;
  while (!ended_) {
    int status = 0;
    const pid_t thread = await(status, patience_ms);
    if (thread == 0) return Went::idle;
    if (thread < 0) ended_ = true;
    if (thread > 0 && take_in(thread, status)) {
      ++boundaries_;
      standing_ = thread;
      return Went::on;
    }
  }
  return Went::ended;
}

void Hunt::step(std::uint64_t instructions, int patience_ms) {
  for (std::uint64_t i = 0; i < instructions && standing_ > 0; ++i) {
    if (!trace(PTRACE_SINGLESTEP, standing_)) return;
    // A system call that waits for the other threads would wait for ever: they go on meanwhile.
    for (;;) {
      int status = 0;
      const pid_t thread = await(status, patience_ms);
      if (thread <= 0) return;
      if (thread == standing_) {
        if (!WIFSTOPPED(status)) {
          static_cast<void>(take_in(thread, status));
          standing_ = -1;
          return;
        }
        break;
      }
      if (take_in(thread, status)) resume(thread, 0);
    }
  }
}

void Hunt::kill() {
  if (ended_) return;
  ::kill(pid_, SIGKILL);
  while (!ended_) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (thread < 0 && errno != EINTR) ended_ = true;
    if (thread > 0 && !WIFSTOPPED(status)) static_cast<void>(take_in(thread, status));
  }
}

}  // namespace ringway::proof
