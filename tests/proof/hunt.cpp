#include "proof/hunt.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace ringway::proof {
namespace {

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

bool reads_a_clock(const SystemCall& call) {
  return call.number == SYS_clock_gettime || call.number == SYS_gettimeofday ||
         call.number == SYS_time;
}

/// A worker of io_uring is listed as a thread, and need not stop for who traces it. The kernel
/// marks it from its first moment (PF_IO_WORKER of its sched.h, in the flags that proc(5) has as
/// the ninth field of `stat`); until it first runs it bears the name of who needed it.
bool stays_in_kernel(const std::filesystem::path& task) {
  constexpr unsigned long kIsWorker = 0x10;
  std::string text;
  std::getline(std::ifstream(task / "stat"), text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == text.npos) return false;  // it is gone
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 8; ++i) fields >> field;
  unsigned long flags = 0;
  fields >> flags;
  return (flags & kIsWorker) != 0;
}

}  // namespace

Hunt::Hunt(pid_t pid, Boundaries boundaries) : pid_(pid) {
  // Until a look finds no thread that is not held yet: those that are held make no more.
  for (bool found = true; found;) {
    found = false;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
      const pid_t thread = std::stoi(entry.path().filename());
      if (threads_.contains(thread) || stays_in_kernel(entry.path())) continue;
      seize(thread);
      found = true;
    }
  }
  if (boundaries == Boundaries::stores && !threads_.empty()) {
    memory_.emplace(pid, threads_.begin()->first);
  }
  for (const auto& [thread, call] : threads_) resume(thread, 0);
}

Hunt::~Hunt() {
  if (!ended_) kill();
}

void Hunt::seize(pid_t thread) {
  constexpr std::uint64_t kOptions =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (!trace(PTRACE_SEIZE, thread, kOptions) || !trace(PTRACE_INTERRUPT, thread)) return;
  int status = 0;
  if (::waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status)) threads_[thread] = {};
}

void Hunt::resume(pid_t thread, int signal) {
  static_cast<void>(trace(PTRACE_SYSCALL, thread, static_cast<std::uint64_t>(signal)));
}

/// True when the thread stands at a boundary now.
bool Hunt::take_in(pid_t thread, int status) {
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    threads_.erase(thread);
    if (thread == pid_) ended_ = true;
    return false;
  }
  const int signal = WSTOPSIG(status);
  if (signal == kSystemCallStop) {
    if (take_in_system_call(thread)) return true;
    resume(thread, 0);
    return false;
  }
  if (signal == SIGSEGV && memory_ && memory_->is_stored_to_by(thread)) {
    before_store_ = true;
    place_ = memory_->place_of(thread);
    return true;
  }
  // New threads and stops by the tracer's own doing are no signals of the process.
  const bool own = status >> 16 != 0 || signal == SIGTRAP || signal == SIGSTOP;
  resume(thread, own ? 0 : signal);
  return false;
}

/// True when it is a boundary.
bool Hunt::take_in_system_call(pid_t thread) {
  SystemCall& call = threads_[thread];
  __ptrace_syscall_info info{};
  const long told = ::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), thread,
                             reinterpret_cast<void*>(sizeof info), &info);
  if (told > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    call.number = info.entry.nr;
    std::ranges::copy(info.entry.args, call.arguments.begin());
  }
  if (!memory_) return !reads_a_clock(call);
  if (told > 0 && info.op == PTRACE_SYSCALL_INFO_EXIT) {
    memory_->behind(thread, call, info.exit.rval);
  }
  return false;
}

/// The thread that something happened to; 0: nothing did until then; -1: none is left.
pid_t Hunt::await(int& status, Clock::time_point until) const {
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
  if (std::exchange(before_store_, false)) {
    if (memory_->let_through(standing_)) {
      ++boundaries_;
      return Went::on;
    }
  } else if (standing_ > 0 && !ended_) {
    resume(standing_, 0);
  }
  standing_ = -1;
  const auto until = Clock::now() + std::chrono::milliseconds(patience_ms);
  while (!ended_) {
    int status = 0;
    const pid_t thread = Clock::now() < until ? await(status, until) : 0;
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
    const auto until = Clock::now() + std::chrono::milliseconds(patience_ms);
    // A system call that waits for the other threads would wait for ever: they go on meanwhile.
    for (;;) {
      int status = 0;
      // They may do so for ever, and this one wait for nobody.
      const pid_t thread = Clock::now() < until ? await(status, until) : 0;
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
