#include "shm/memory_budget.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

namespace ringway::shm {
namespace {

/// The number in a file that holds nothing else; nothing where it is missing or "max".
std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

/// The numbers behind two keys in a file of "key number" lines; nothing for one that is missing.
std::array<std::optional<std::uint64_t>, 2> read_values(
    const std::string& path, const std::array<std::string_view, 2>& keys) {
  std::array<std::optional<std::uint64_t>, 2> values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!line.starts_with(keys[i])) continue;
      const auto digit = line.find_first_of("0123456789", keys[i].size());
      if (digit != line.npos) values[i] = std::stoull(line.substr(digit));
    }
  }
  return values;
}

struct Hierarchy {
  std::string_view controller;  ///< as /proc/self/cgroup names it; empty for version 2
  std::string_view directory;   ///< under the cgroup file system
  std::string_view limit, usage, inactive, active;
};

constexpr Hierarchy kHierarchies[] = {
    {"", "", "memory.max", "memory.current", "inactive_file ", "active_file "},
    {"memory", "/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
     "total_active_file "}};

/// Lowers the budget to what the cgroup at `path` allows.
void apply_cgroup(const Hierarchy& hierarchy, const std::string& path, MemoryBudget& budget) {
  const std::string limit_file = path + "/" + std::string(hierarchy.limit);
  const auto limit = read_number(limit_file);
  if (!limit) return;
  const auto [inactive, active] =
      read_values(path + "/memory.stat", {hierarchy.inactive, hierarchy.active});
  const std::uint64_t used = read_number(path + "/" + std::string(hierarchy.usage)).value_or(0);
  const std::uint64_t reclaimable =
      inactive || active ? inactive.value_or(0) + active.value_or(0) : used;
  const std::uint64_t held = used - std::min(used, reclaimable);
  const std::uint64_t left = *limit - std::min(*limit, held);
  budget.total_bytes = std::min(budget.total_bytes, *limit);
  if (left < budget.available_bytes) {
    budget.available_bytes = left;
    budget.limited_by = limit_file;
  }
}

}  // namespace

MemoryBudget memory_budget(const std::string& proc, const std::string& cgroups) {
  // Read at once, so that there are both or none. What is not known refuses nothing.
  const auto [total, available] = read_values(proc + "/meminfo", {"MemTotal:", "MemAvailable:"});
  constexpr auto kUnknown = std::numeric_limits<std::uint64_t>::max();
  MemoryBudget budget{total ? *total * 1024 : kUnknown, available ? *available * 1024 : kUnknown,
                      "RAM"};
  // Lines read "4:memory:/path"; version 2 is "0::/path". A limit holds for all below it.
  std::ifstream memberships(proc + "/self/cgroup");
  for (std::string line; std::getline(memberships, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const auto controller = std::string_view(line).substr(first + 1, second - first - 1);
    for (const Hierarchy& hierarchy : kHierarchies) {
      if (controller != hierarchy.controller) continue;
      std::string path = line.substr(second + 1);
      for (bool above = true; above;) {
        apply_cgroup(hierarchy, cgroups + std::string(hierarchy.directory) + path, budget);
        above = path.size() > 1;
        if (above) path.resize(path.rfind('/'));
      }
    }
  }
  return budget;
}

}  // namespace ringway::shm
