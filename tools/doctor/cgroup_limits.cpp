#include "tools/doctor/cgroup_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {
namespace {

/// Of /proc/PID/cgroup: whether a line as "4:cpu,cpuacct:/x" has the controller.
bool is_of_version_1(std::string_view cgroup, std::string_view controller) {
  for (std::size_t at = 0; at < cgroup.size();) {
    const std::size_t end = std::min(cgroup.find('\n', at), cgroup.size());
    const std::string_view line = cgroup.substr(at, end - at);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == line.npos ? first : first + 1);
    if (second != line.npos &&
        has_word(line.substr(first + 1, second - first - 1), controller, ',')) {
      return true;
    }
    at = end + 1;
  }
  return false;
}

}  // namespace

CgroupLimits cgroup_limits(const Facts& facts, std::string_view controller, std::string_view most,
                           std::string_view present) {
  CgroupLimits found;
  const std::string path = facts.process() + "/cgroup";
  const auto text = facts.read(path);
  if (!text) {
    found.hidden = path + " cannot be read";
    return found;
  }
  if (is_of_version_1(*text, controller)) {
    found.hidden =
        fmt::format("the {} limits of cgroups are of version 1 here, which is not read: look into "
                    "/sys/fs/cgroup/{}",
                    controller, controller);
    return found;
  }
  const std::vector<std::string> groups = cgroups_in(*text);
  if (groups.empty()) {
    found.hidden = path + " names no cgroup of version 2";
    return found;
  }
  for (const std::string& group : groups) {
    const auto controllers = facts.word(group + "/cgroup.controllers");
    const std::string file = fmt::format("{}/{}", group, most);
    const auto limit = facts.word(file);
    if (limit) {
      found.limits.push_back(
          {group, *limit, facts.word(fmt::format("{}/{}", group, present)).value_or("")});
    } else if (!controllers) {
      found.hidden = group + " is not to be seen from here";
    } else if (group != groups.back() && has_word(*controllers, controller, ' ')) {
      found.hidden = file + " cannot be read";  // only the root has none
    }
  }
  return found;
}

}  // namespace ringway::cli::doctor
