#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <string>

#include "ringway/error.hpp"

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

/// No descriptor is left for what this process attempts: what it lacks is its own, and nobody else
/// can mend it.
struct NoDescriptorLeft : Error {
  NoDescriptorLeft(std::string thing, const std::string& attempted)
      : Error(ErrorCode::limit, std::move(thing),
              attempted + ": no descriptor is left, the limit of open files is " + soft_limit(),
              "raise it (ulimit -n, LimitNOFILE=)") {}

 private:
  static std::string soft_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return std::to_string(limit.rlim_cur);
  }
};

}  // namespace ringway::shm
