#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/doctor/facts.hpp"

namespace ringway::cli::doctor {

/// A controller of cgroups, and the files of a group that hold its limit and what goes with that,
/// by version (cgroup-v1/ and cgroup-v2.rst of the kernel's documentation).
struct CgroupController {
  struct Files {
    std::string_view most;
    std::string_view present;  ///< "": there is no such file
  };
  std::string_view name;
  Files version_2;
  Files version_1;
};
inline constexpr CgroupController kMemoryController{
    "memory",
    {"memory.max", "memory.current"},
    {"memory.limit_in_bytes", "memory.usage_in_bytes"}};
inline constexpr CgroupController kPidsController{
    "pids", {"pids.max", "pids.current"}, {"pids.max", "pids.current"}};
/// The quota and, of version 2 in the same file, its period.
inline constexpr CgroupController kCpuController{
    "cpu", {"cpu.max", ""}, {"cpu.cfs_quota_us", "cpu.cfs_period_us"}};

/// What the cgroups above a process say of one controller.
struct CgroupLimits {
  struct Limit {
    std::string group;    ///< the directory
    std::string most;     ///< the text of the file
    std::string present;  ///< likewise; "" where there is none
  };
  CgroupController::Files files{};  ///< of the version that has the controller here
  std::vector<Limit> limits{};      ///< the process's own first; groups without one are left out
  std::string hidden{};  ///< why there may be more that cannot be seen; "" where there are none
};
CgroupLimits cgroup_limits(const Facts& facts, const CgroupController& controller);

/// What to type so that a group, of the service or above it, has a setting of systemd.
std::string with_group_setting(const Facts& facts, const std::string& group,
                               std::string_view setting);

}  // namespace ringway::cli::doctor
