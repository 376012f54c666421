#include <fmt/format.h>

#include <algorithm>

#include "tools/doctor/cgroup_limits.hpp"
#include "tools/doctor/checks.hpp"
#include "tools/doctor/proc_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

std::optional<std::uint64_t> kilobytes(const std::string& meminfo, std::string_view name) {
  const auto line = line_behind(meminfo, name);
  const auto number = line ? number_in(*line) : std::nullopt;
  if (!number) return {};
  return *number * 1024;
}

struct Room {
  std::uint64_t bytes;
  std::string by;
  std::string hidden{};  ///< what could leave less, and cannot be looked at
};

/// Of /proc/PID/numa_maps, the policy of memory that has none of its own: "default", "bind:0-1".
std::string policy_in(const std::string& maps) {
  const std::size_t begin = std::min(maps.find(' '), maps.size() - 1) + 1;
  return maps.substr(begin, maps.find_first_of(" \n", begin) - begin);
}

/// The least that RAM, the kernel's accounting and every cgroup leave.
std::optional<Room> room_for_rings(const Facts& facts, const std::string& meminfo) {
  const auto available = kilobytes(meminfo, "MemAvailable:");
  if (!available) return {};
  Room room{*available, "RAM"};
  const auto lower = [&](std::uint64_t bytes, std::string by) {
    if (bytes < room.bytes) room = {bytes, std::move(by)};
  };
  const std::string policy = "/proc/sys/vm/overcommit_memory";
  const auto overcommit = facts.word(policy);
  if (!overcommit) room.hidden = policy + " cannot be read";
  if (overcommit == "2") {
    const auto limit = kilobytes(meminfo, "CommitLimit:");
    const auto used = kilobytes(meminfo, "Committed_AS:");
    if (limit && used) lower(*limit - std::min(*limit, *used), "vm.overcommit_memory = 2");
  }
  const auto file_of = [](const CgroupLimits::Limit& limit, std::string_view name) {
    return fmt::format("{}/{}", limit.group, name);
  };
  const CgroupLimits groups = cgroup_limits(facts, kMemoryController);
  for (const CgroupLimits::Limit& each : groups.limits) {
    const auto most = number_in(each.most);  // none: "max"
    const auto used = number_in(each.present);
    if (most && used) lower(*most - std::min(*most, *used), file_of(each, groups.files.most));
    if (most && !used) room.hidden = file_of(each, groups.files.present) + " cannot be read";
  }
  if (!groups.hidden.empty()) room.hidden = groups.hidden;
  return room;
}

}  // namespace

Findings check_memory(const Facts& facts) {
  const auto meminfo = facts.read("/proc/meminfo");
  const auto room = meminfo ? room_for_rings(facts, *meminfo) : std::nullopt;
  if (!room) return not_checked("memory", "/proc/meminfo cannot be read");
  const auto said = facts.status.value("memory", nlohmann::json::object());
  const auto limit = said.value("limit", std::uint64_t{0});
  const auto used = said.value("used", std::uint64_t{0});
  const std::uint64_t promised = limit - std::min(limit, used);
  const std::string left = fmt::format("{} left by {}", format_size(room->bytes), room->by);
  if (promised <= room->bytes && !room->hidden.empty()) {
    return not_checked("memory", fmt::format("{}; without that there are {}", room->hidden, left));
  }
  if (promised <= room->bytes) {
    return well("memory", limit == 0 ? left : fmt::format("{}, {} may still go to rings", left,
                                                          format_size(promised)));
  }
  // What is left moves; the finding is not to be back at once.
  const std::uint64_t enough = used + room->bytes / 8 * 7;
  return {{Severity::warning, "memory",
           fmt::format("rings may take {} more (limits.memory), but there is {}",
                       format_size(promised), left),
           "a new topic or ring is refused before its limit says so, and other programs are killed",
           facts.with_setting(fmt::format("Environment=RINGWAYD_LIMITS_MEMORY={}MiB",
                                          enough >> 20))}};
}

Findings check_huge_pages(const Facts& facts) {
  const std::string path = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
  const auto text = facts.word(path);
  if (!text) return not_checked("huge_pages", path + " cannot be read");
  const std::string chosen = chosen_in(*text);
  if (chosen == "always" || chosen == "within_size" || chosen == "force") {
    return well("huge_pages", fmt::format("shared memory gets them ({})", chosen));
  }
  return {{Severity::note, "huge_pages", fmt::format("shared memory gets none ({})", chosen),
           "large rings take more of the processor's translation cache, which streams hardly feel: "
           "measure with and without (ringway bench ring). Ringway asks for no huge pages itself",
           "echo within_size > " + path}};
}

Findings check_numa(const Facts& facts) {
  const auto online = facts.word("/sys/devices/system/node/online");
  if (!online) return not_checked("numa", "/sys/devices/system/node/online cannot be read");
  const std::size_t nodes = counted_in(*online);
  if (nodes <= 1) return well("numa", "one node");
  const auto unknown = [&](std::string_view file) {
    return not_checked("numa", fmt::format("{} nodes, and {}/{} does not say which are used", nodes,
                                           facts.process(), file));
  };
  const auto status = facts.read(facts.process() + "/status");
  const auto allowed = status ? line_behind(*status, "Mems_allowed_list:") : std::nullopt;
  const std::vector<std::uint64_t> numbers = numbers_in(allowed.value_or(""));
  if (numbers.empty()) return unknown("status");
  if (numbers.size() == 1) {
    return well("numa", fmt::format("{} nodes, {} may use {}", nodes, facts.whose(), *allowed));
  }
  const auto maps = facts.read(facts.process() + "/numa_maps");
  if (!maps || maps->empty()) return unknown("numa_maps");
  const std::string policy = policy_in(*maps);
  const std::size_t colon = policy.find(':');
  if (colon != policy.npos && counted_in(policy.substr(colon + 1)) == 1) {
    return well("numa", fmt::format("{} nodes, {} has {}", nodes, facts.whose(), policy));
  }
  return {{Severity::note, "numa", fmt::format("{} nodes, and {} uses all", nodes, facts.whose()),
           "a ring on another node than its producer and consumer costs latency; rings that are "
           "made from then on lie on the one of the fix: take that of producers and consumers",
           facts.with_setting(
               fmt::format("NUMAPolicy=bind and, below it, NUMAMask={}", numbers.front()))}};
}

}  // namespace ringway::cli::doctor
