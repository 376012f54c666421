#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace ringway::test::filter {

#if defined(__x86_64__)
inline constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
inline constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

inline sock_filter load(std::size_t at) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(at));
}
inline sock_filter unless(std::uint32_t value, std::uint8_t skipped) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped);
}
inline sock_filter verdict(std::uint32_t action) {
  return BPF_STMT(BPF_RET | BPF_K, action);
}
inline sock_filter allow() {
  return verdict(SECCOMP_RET_ALLOW);
}
/// The process dies of SIGSYS.
inline sock_filter kill() {
  return verdict(SECCOMP_RET_KILL_PROCESS);
}

/// From now on `rules`, which begin with the call's number loaded, judge this process's system
/// calls. Exits with 3 where it may have no filter.
inline void apply(std::initializer_list<sock_filter> rules) {
  std::vector<sock_filter> all{load(offsetof(seccomp_data, arch)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0), kill(),
                               load(offsetof(seccomp_data, nr))};
  all.insert(all.end(), rules);
  const sock_fprog program{static_cast<unsigned short>(all.size()), all.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    ::_exit(3);
  }
}

}  // namespace ringway::test::filter
