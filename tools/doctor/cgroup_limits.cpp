#include "tools/doctor/cgroup_limits.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {

CgroupLimits cgroup_limits(const Facts& facts, const CgroupController& controller) {
  CgroupLimits found;
  const std::string path = facts.process() + "/cgroup";
  const auto text = facts.read(path);
  if (!text) {
    found.hidden = path + " cannot be read";
    return found;
  }
  std::vector<std::string> groups = cgroups_of_version_1(*text, controller.name);
  const bool version_1 = !groups.empty();
  if (!version_1) groups = cgroups_in(*text);
  if (groups.empty()) {
    found.hidden = path + " names no cgroup";
    return found;
  }
  found.files = version_1 ? controller.version_1 : controller.version_2;
  for (const std::string& group : groups) {
    // Every group has this file, whatever limits it.
    const auto seen =
        facts.word(group + (version_1 ? "/notify_on_release" : "/cgroup.controllers"));
    const std::string file = fmt::format("{}/{}", group, found.files.most);
    const auto limit = facts.word(file);
    if (limit) {
      found.limits.push_back(
          {group, *limit,
           facts.word(fmt::format("{}/{}", group, found.files.present)).value_or("")});
    } else if (!seen) {
      found.hidden = group + " is not to be seen from here";
    } else if (group != groups.back() && (version_1 || has_word(*seen, controller.name, ' '))) {
      found.hidden = file + " cannot be read";  // only the root has none
    }
  }
  return found;
}

std::string with_group_setting(const Facts& facts, const std::string& group,
                               std::string_view setting) {
  const std::size_t slash = group.rfind('/');
  const Unit unit{group.substr(slash + 1),
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
