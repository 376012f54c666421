#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace ringway::shm {

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
