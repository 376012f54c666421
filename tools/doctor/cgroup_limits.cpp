#include "tools/doctor/cgroup_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

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

std::string with_group_setting(const Facts& facts, const std::string& group,
                               std::string_view setting) {
  const std::size_t slash = group.rfind('/');
  const bundle::Unit unit{group.substr(slash + 1),
                          group.substr(0, slash).find("/user@") != std::string::npos};
  if (unit.name == facts.unit.name) return facts.with_setting(setting);
  if (unit.name.ends_with(".scope")) {
    return fmt::format("{} {}", systemctl("set-property", unit), setting);
  }
  for (const auto& [suffix, section] : {std::pair{".slice", "Slice"}, {".service", "Service"}}) {
    if (!unit.name.ends_with(suffix)) continue;
    return fmt::format("{}  # [{}] {}", systemctl("edit", unit), section, setting);
  }
  return fmt::format("start what has {} as its own (a container) with more than that", group);
}

}  // namespace ringway::cli::doctor
