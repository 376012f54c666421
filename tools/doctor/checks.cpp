#include "tools/doctor/checks.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "tools/bus_access.hpp"

namespace ringway::cli::doctor {

std::string_view to_string(Severity severity) noexcept {
  constexpr std::array<std::string_view, 5> kWords{"ok", "unchecked", "note", "warning", "error"};
  return kWords[static_cast<std::size_t>(severity)];
}

std::optional<std::string> Facts::word(const std::string& path) const {
  std::optional<std::string> text = read(path);
  if (!text) return {};
  constexpr const char* kSpace = " \t\n";
  const std::size_t first = text->find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return text->substr(first, text->find_last_not_of(kSpace) + 1 - first);
}

std::string Facts::restart() const {
  if (unit.of_user && !owner.empty()) {
    return fmt::format("systemctl --user --machine={}@ restart {}", shell_quoted(owner),
                       shell_quoted(unit.name));
  }
  if (!unit.name.empty()) return systemctl("restart", unit);
  // Where links of its user lead is nothing for root.
  std::string words = owner.empty() ? "" : fmt::format("runuser -u {} -- ", shell_quoted(owner));
  words += "ringwayd";
  if (!socket.empty()) words += " --socket " + shell_quoted(socket);
  if (!runtime_dir.empty()) words += " --runtime-dir " + shell_quoted(runtime_dir);
  if (!state_dir.empty() && !usual_state_dir) words += " --state-dir " + shell_quoted(state_dir);
  // The signal that leaves the rings to the next one.
  if (supervisor == 0) return words;
  if (!in_ringwayd) return fmt::format("restart the program whose pid is {}", supervisor);
  return fmt::format("kill -USR1 {} && {}", supervisor, words);
}

std::string Facts::with_setting(std::string_view setting) const {
  if (unit.name.empty()) {
    return fmt::format("start ringwayd where that is allowed (its container, its slice): {}",
                       setting);
  }
  return fmt::format("{} && {}  # [Service] {}", systemctl("edit", unit), restart(), setting);
}

Findings run_checks(const Facts& facts) {
  constexpr std::array kChecks{
      check_service,     check_versions,      check_stale_sockets, check_orphaned_memory,
      check_logout,      check_kernel,        check_membarrier,    check_io_uring,
      check_seccomp,     check_memory,        check_huge_pages,    check_numa,
      check_locked_memory, check_descriptors, check_mappings,      check_tasks,
      check_clock,       check_governor,      check_cpu_quota,     check_disk_room,
      check_sync_time};
  Findings all;
  for (const auto& check : kChecks) {
    Findings found = check(facts);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace ringway::cli::doctor
