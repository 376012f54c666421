#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <vector>

#include "tools/doctor/cgroup_limits.hpp"
#include "tools/doctor/checks.hpp"
#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {

Findings check_clock(const Facts& facts) {
  const std::string path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  const auto source = facts.word(path);
  const auto cpus = facts.read("/proc/cpuinfo");
  if (!source || !cpus) return not_checked("clock", path + " or /proc/cpuinfo cannot be read");
  const std::string flags = " " + line_behind(*cpus, "flags").value_or("") + " ";
  const bool steady = flags.find(" constant_tsc ") != std::string::npos &&
                      flags.find(" nonstop_tsc ") != std::string::npos;
  if (*source == "tsc" && steady) return well("clock", "tsc, constant and nonstop");
  if (*source == "hpet" || *source == "acpi_pm" || *source == "jiffies") {
    return {{Severity::warning, "clock", *source,
             "each look at the time is a system call of a microsecond or more, and every record "
             "has one",
             "echo tsc > " + path + "  # if the boot log does not call it unstable"}};
  }
  return {{Severity::note, "clock",
           *source + (steady ? "" : ", whose counter may stop or change its pace"),
           "the time of a record costs more, or is less exact, than with a steady tsc",
           steady ? "echo tsc > " + path : "choose a machine type with an invariant TSC"}};
}

Findings check_governor(const Facts& facts) {
  const std::string directory = "/sys/devices/system/cpu/";
  const auto online = facts.word(directory + "online");
  if (!online) return not_checked("governor", directory + "online cannot be read");
  std::map<std::string, std::vector<std::uint64_t>> processors;
  for (const std::uint64_t cpu : numbers_in(*online)) {
    const auto governor =
        facts.word(fmt::format("{}cpu{}/cpufreq/scaling_governor", directory, cpu));
    if (governor) processors[*governor].push_back(cpu);
  }
  if (processors.empty()) {
    return not_checked("governor",
                       "the frequency is not this system's to choose (a virtual machine)");
  }
  if (processors.size() == 1 && processors.contains("performance")) {
    return well("governor", "performance");
  }
  std::string what;
  for (const auto& [governor, cpus] : processors) {
    if (governor == "performance") continue;
    what += fmt::format("{}{} (cpu {})", what.empty() ? "" : ", ", governor, fmt::join(cpus, ","));
  }
  return {{Severity::note, "governor", what,
           "a processor that has slowed down wakes a consumer late, and the first records are slow",
           "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"}};
}

Findings check_cpu_quota(const Facts& facts) {
  const CgroupLimits groups = cgroup_limits(facts, kCpuController);
  for (const CgroupLimits::Limit& each : groups.limits) {
    const std::string_view text = each.most;
    const std::size_t space = text.find(' ');
    const auto quota = number_in(text);
    const auto period = number_in(space == text.npos ? each.present : text.substr(space));
    if (!quota || !period || *period == 0 || *quota >= *period) continue;
    return {{Severity::warning, "cpu_quota",
             fmt::format("{} % of a processor in {}", *quota * 100 / *period, each.group),
             "threads stand still for the rest of each period: the log and repairs wait",
             with_group_setting(facts, each.group, "CPUQuota=")}};
  }
  if (!groups.hidden.empty()) return not_checked("cpu_quota", groups.hidden);
  return well("cpu_quota", "a whole processor or more");
}

}  // namespace ringway::cli::doctor
