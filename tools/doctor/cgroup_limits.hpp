#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/doctor/facts.hpp"

namespace ringway::cli::doctor {

/// What the cgroups above a process say of one controller.
struct CgroupLimits {
  struct Limit {
    std::string group;    ///< the directory
    std::string most;     ///< the text of the file that was asked for
    std::string present;  ///< and of the second one; "" where there is none
  };
  std::vector<Limit> limits{};  ///< the process's own first; groups without one are left out
  std::string hidden{};         ///< why there may be more that cannot be seen; "" where there are none
};

/// `most` and `present` are files of `controller` ("memory"), as "memory.max", "memory.current".
/// Only version 2 is looked at; that another one has the controller is said as hidden.
CgroupLimits cgroup_limits(const Facts& facts, std::string_view controller, std::string_view most,
                           std::string_view present = {});

/// What to type so that a group, of the service or above it, has a setting of systemd.
std::string with_group_setting(const Facts& facts, const std::string& group,
                               std::string_view setting);

}  // namespace ringway::cli::doctor
