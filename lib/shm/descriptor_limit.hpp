#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <cstdint>

namespace ringway::shm {

/// How to mend a refusal that is due to the limit of open files; "" for any other.
constexpr const char* descriptor_advice(int error_number) noexcept {
  return error_number == EMFILE || error_number == ENFILE
             ? "raise the limit of open files (ulimit -n, LimitNOFILE=)"
             : "";
}

/// Makes the soft limit of open files the hard one: these are programs of many descriptors, and
/// none of them asks select(). Returns what the limit is then.
inline std::uint64_t raise_descriptor_limit() noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace ringway::shm
