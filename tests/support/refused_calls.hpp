#pragma once

#include <ucontext.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <initializer_list>
#include <vector>

#include "support/system_call_filter.hpp"

namespace ringway::test {

/// One kind of system call, of five arguments at most: the nth from now (1 = the next) is not made
/// and answers with the errno, with `lasting` all later ones, too.
struct RefusedCall {
  long number;
  int nth;
  int error;
  bool lasting = false;
};

namespace refused {

/// The sixth argument of what is made nevertheless.
inline constexpr std::uint32_t kToBeMade = 0x5257a9e5;

struct Plan {
  std::vector<RefusedCall> calls;
  std::atomic<int> refusals = 0;
};
inline Plan& plan() {
  static Plan instance;
  return instance;
}

/// Whoever of the threads makes it.
inline bool is_refused(RefusedCall& call) {
  const int left = std::atomic_ref(call.nth).fetch_sub(1);
  if (left > 1 || (left < 1 && !call.lasting)) return false;
  ++plan().refusals;
  return true;
}

inline long answer(long number, const long long (&arguments)[5]) {
  for (RefusedCall& call : plan().calls) {
    if (call.number == number && is_refused(call)) return -call.error;
  }
  const long result = ::syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                                arguments[4], kToBeMade);
  return result < 0 ? -errno : result;
}

/// Of SIGSYS, which the filter sends in a call's place.
inline void on_call(int, siginfo_t* info, void* context) {
  const int before = errno;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  auto& at = registers.gregs;
  at[REG_RAX] =
      answer(info->si_syscall, {at[REG_RDI], at[REG_RSI], at[REG_RDX], at[REG_R10], at[REG_R8]});
#elif defined(__aarch64__)
  auto& at = registers.regs;
  const auto argument = [&](int i) { return static_cast<long long>(at[i]); };
  at[0] = static_cast<unsigned long long>(
      answer(info->si_syscall, {argument(0), argument(1), argument(2), argument(3), argument(4)}));
#endif
  errno = before;
}

}  // namespace refused

/// From now on, for the rest of the lives of this thread and those it makes: for a child that was
/// forked for this.
inline void refuse_calls(std::initializer_list<RefusedCall> calls) {
  refused::plan().calls = calls;
  struct sigaction action{};
  action.sa_sigaction = refused::on_call;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigaction(SIGSYS, &action, nullptr);
  for (const RefusedCall& call : calls) {
    using namespace filter;
    apply({unless(static_cast<std::uint32_t>(call.number), 4),
           load(offsetof(seccomp_data, args) + 5 * sizeof(std::uint64_t)),
           unless(refused::kToBeMade, 1), allow(), verdict(SECCOMP_RET_TRAP), allow()});
  }
}

/// How many calls were refused so far.
inline int refusals() {
  return refused::plan().refusals;
}

}  // namespace ringway::test
