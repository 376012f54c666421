#pragma once

#include <cstdint>
#include <string>

namespace ringway::shm {

/// How much memory this process's machine and memory cgroups give it.
struct MemoryBudget {
  std::uint64_t total_bytes;      ///< RAM, or the lowest limit of a cgroup above this process
  std::uint64_t available_bytes;  ///< what could be had now without anybody being killed for it
  std::string limited_by;         ///< who sets available_bytes: "RAM", or the cgroup's limit file
};

/// Read anew at every call. Both cgroup versions. The directories are for tests.
MemoryBudget memory_budget(const std::string& proc = "/proc",
                           const std::string& cgroups = "/sys/fs/cgroup");

}  // namespace ringway::shm
