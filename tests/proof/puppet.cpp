#include "proof/puppet.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

// Places that the tracer knows by their address; a forked process has its code where its parent
// has.
extern "C" {
extern const char __executable_start, etext;  // the linker's
void ringway_proof_begin();
void ringway_proof_end();
void ringway_proof_system_call();
}
asm(R"(
  .text
  .globl ringway_proof_begin
  ringway_proof_begin: ret
  .globl ringway_proof_end
  ringway_proof_end: ret
  .globl ringway_proof_system_call
  ringway_proof_system_call: syscall
  ud2
)");

namespace ringway::proof {
namespace {

using Registers = user_regs_struct;

std::uint64_t address_of(void (*place)()) {
  return reinterpret_cast<std::uint64_t>(place);
}

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

void trace(__ptrace_request request, pid_t pid, std::uint64_t data = 0) {
  if (::ptrace(request, pid, nullptr, reinterpret_cast<void*>(data)) != 0) {
    throw std::system_error(errno, std::generic_category(), "ptrace");
  }
}

Registers registers_of(pid_t pid) {
  Registers registers;
  trace(PTRACE_GETREGS, pid, reinterpret_cast<std::uint64_t>(&registers));
  return registers;
}

void set_registers(pid_t pid, const Registers& registers) {
  trace(PTRACE_SETREGS, pid, reinterpret_cast<std::uint64_t>(&registers));
}

/// The status it stops with.
int wait_for_stop(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  if (!WIFSTOPPED(status)) fail("a puppet ended by itself, status " + std::to_string(status));
  return status;
}

void wait_for_signal(pid_t pid, int signal) {
  const int status = wait_for_stop(pid);
  if (WSTOPSIG(status) != signal) {
    fail("a puppet met signal " + std::to_string(WSTOPSIG(status)) + " at " +
         std::to_string(registers_of(pid).rip));
  }
}

[[noreturn]] void play(const std::function<Puppet::Part()>& prepare) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int status = 1;
  try {
    const Puppet::Part part = prepare();
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    ringway_proof_begin();
    part();
    ringway_proof_end();
    status = 0;
  } catch (...) {
  }
  ::_exit(status);
}

}  // namespace

Puppet::Puppet(const std::function<Part()>& prepare) {
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) play(prepare);
  wait_for_signal(pid_, SIGSTOP);
  trace(PTRACE_SETOPTIONS, pid_, PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK);
  // Out of raise(), into its part.
  while (place_ != address_of(ringway_proof_begin)) {
    trace(PTRACE_SINGLESTEP, pid_);
    wait_for_signal(pid_, SIGTRAP);
    look_where_it_stands();
  }
}

void Puppet::step() {
  if (done_) fail("a puppet was led on behind the end of its part");
  trace(PTRACE_SINGLESTEP, pid_);
  wait_for_signal(pid_, SIGTRAP);
  ++steps_;
  look_where_it_stands();
}

void Puppet::look_where_it_stands() {
  // Only the instruction pointer: a read of all registers costs as much as the step.
  errno = 0;
  const long rip = ::ptrace(PTRACE_PEEKUSER, pid_, offsetof(user, regs.rip), nullptr);
  if (errno != 0) throw std::system_error(errno, std::generic_category(), "ptrace");
  place_ = static_cast<std::uint64_t>(rip);
  done_ = place_ == address_of(ringway_proof_end);
}

bool Puppet::at_system_call() const noexcept {
  // Its code lies here as well, at the same place.
  static constexpr unsigned char kSystemCall[] = {0x0f, 0x05};
  return std::memcmp(reinterpret_cast<const void*>(place_), kSystemCall, sizeof kSystemCall) == 0;
}

bool Puppet::in_own_code() const noexcept {
  return place_ >= reinterpret_cast<std::uint64_t>(&__executable_start) &&
         place_ < reinterpret_cast<std::uint64_t>(&etext);
}

Puppet Puppet::copy() {
  const Registers here = registers_of(pid_);
  Registers calling = here;
  calling.rip = address_of(ringway_proof_system_call);
  calling.orig_rax = ~0ULL;  // no system call that would be begun again
  calling.rax = SYS_clone;
  calling.rdi = CLONE_PARENT | SIGCHLD;  // this process's child, so that it can be waited for
  calling.rsi = calling.rdx = calling.r10 = calling.r8 = 0;
  set_registers(pid_, calling);
  trace(PTRACE_SINGLESTEP, pid_);
  const int status = wait_for_stop(pid_);
  if (status >> 8 != (SIGTRAP | PTRACE_EVENT_FORK << 8)) fail("a puppet could not be copied");
  unsigned long fresh = 0;
  trace(PTRACE_GETEVENTMSG, pid_, reinterpret_cast<std::uint64_t>(&fresh));
  trace(PTRACE_SINGLESTEP, pid_);  // out of the system call
  wait_for_signal(pid_, SIGTRAP);
  set_registers(pid_, here);

  Puppet twin(static_cast<pid_t>(fresh), *this);
  wait_for_signal(twin.pid_, SIGSTOP);
  Registers there = here;
  there.orig_rax = ~0ULL;
  set_registers(twin.pid_, there);
  return twin;
}

void Puppet::finish() {
  trace(PTRACE_CONT, pid_);
  int status = 0;
  while (::waitpid(pid_, &status, __WALL) < 0 && errno == EINTR) {
  }
  if (!WIFSTOPPED(status)) pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail("a puppet did not finish, status " + std::to_string(status));
  }
}

void Puppet::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  do {
    if (::waitpid(pid_, &status, __WALL) < 0 && errno != EINTR) break;
  } while (!WIFSIGNALED(status) && !WIFEXITED(status));
  pid_ = -1;
}

}  // namespace ringway::proof
