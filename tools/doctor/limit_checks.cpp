#include <fmt/format.h>

#include <algorithm>

#include "tools/doctor/cgroup_limits.hpp"
#include "tools/doctor/checks.hpp"
#include "tools/doctor/proc_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

/// io_uring's memory, where the kernel counts it.
constexpr std::uint64_t kLockedMin = 8 << 20;
/// A few hundred topics and clients.
constexpr std::uint64_t kDescriptorsMin = 4096;
constexpr std::uint64_t kTasksMin = 32;
constexpr std::uint64_t kTasksFix = 512;

std::string text_of(std::uint64_t limit) {
  return limit == kUnlimited ? "unlimited" : fmt::format("{}", limit);
}

std::optional<Limit> limit_of(const Facts& facts, std::string_view name) {
  const auto text = facts.read(facts.process() + "/limits");
  return text ? limit_in(*text, name) : std::nullopt;
}

}  // namespace

Findings check_locked_memory(const Facts& facts) {
  const auto limit = limit_of(facts, "Max locked memory");
  if (!limit) return not_checked("locked_memory", facts.process() + "/limits cannot be read");
  const std::string most = limit->hard == kUnlimited ? "all memory" : format_size(limit->hard);
  const std::string what = fmt::format("{} may lock {}", facts.whose(), most);
  if (limit->hard >= kLockedMin) return well("locked_memory", what);
  return {{Severity::warning, "locked_memory", what,
           "io_uring may be refused, and the log is written more slowly then",
           facts.supervisor == 0 ? "ulimit -l 65536" : facts.with_setting("LimitMEMLOCK=64M")}};
}

Findings check_descriptors(const Facts& facts) {
  const auto limit = limit_of(facts, "Max open files");
  if (!limit) return not_checked("descriptors", facts.process() + "/limits cannot be read");
  const auto sessions = facts.status.value("sessions", nlohmann::json::array()).size();
  // Board, ring, bell and log of each topic at least; socket, pidfd, doorbell and session memory.
  const std::uint64_t at_least =
      4 * (facts.status.value("topics", std::uint64_t{0}) + std::uint64_t{sessions});
  const std::uint64_t used = facts.descriptors.value_or(at_least);
  const std::string what =
      fmt::format("{} may have {}, {}{} are in use", facts.whose(), text_of(limit->hard),
                  facts.descriptors ? "" : "at least ", used);
  if (limit->hard >= std::max(kDescriptorsMin, 2 * used)) return well("descriptors", what);
  return {{Severity::warning, "descriptors", what,
           "the next topics or clients are refused (each takes three or more)",
           facts.supervisor == 0 ? "ulimit -Hn 524288" : facts.with_setting("LimitNOFILE=524288")}};
}

Findings check_descriptor_store(const Facts& facts) {
  if (facts.status.value("rings_held_by", "") != "service") {
    return well("descriptor_store", "none is in use: this bus has no unit, or a keeper");
  }
  if (!facts.store) return not_checked("descriptor_store", "systemctl show does not say");
  const auto& [used, most] = *facts.store;
  const std::string what = fmt::format("{} of {} are in use", used, most);
  if (used * 5 <= most * 4) return well("descriptor_store", what);
  return {{Severity::warning, "descriptor_store", what,
           "the next topics or clients are refused (each takes three or more)",
           facts.with_setting(fmt::format("FileDescriptorStoreMax={}", 4 * most))}};
}

Findings check_mappings(const Facts& facts) {
  const auto most = number_in(facts.word("/proc/sys/vm/max_map_count").value_or(""));
  if (!most) return not_checked("mappings", "/proc/sys/vm/max_map_count cannot be read");
  const auto maps = facts.read(facts.process() + "/maps");
  if (!maps) {
    return not_checked("mappings",
                       fmt::format("{}/maps is for root and its user; of {} that it may have",
                                   facts.process(), *most));
  }
  const auto used = static_cast<std::uint64_t>(std::ranges::count(*maps, '\n'));
  const std::string what = fmt::format("{} may have {}, {} are in use", facts.whose(), *most, used);
  if (used < *most / 5 * 4) return well("mappings", what);
  return {{Severity::warning, "mappings", what,
           "each partition that is open takes two; the next ones are refused",
           fmt::format("sysctl -w vm.max_map_count={}", *most * 4)}};
}

Findings check_tasks(const Facts& facts) {
  const CgroupLimits groups = cgroup_limits(facts, kPidsController);
  for (const CgroupLimits::Limit& each : groups.limits) {
    const auto most = number_in(each.most);
    const auto used = number_in(each.present);
    if (!most || !used || *used + kTasksMin <= *most) continue;
    return {{Severity::warning, "tasks",
             fmt::format("{} of {} in {}", *used, *most, each.group),
             "ringwayd cannot start its keeper or its threads when there are no more",
             with_group_setting(facts, each.group,
                                fmt::format("TasksMax={}", std::max(kTasksFix, 2 * *most)))}};
  }
  if (!groups.hidden.empty()) return not_checked("tasks", groups.hidden);
  return well("tasks", "no cgroup is short of them");
}

}  // namespace ringway::cli::doctor
