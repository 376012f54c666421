#include "tools/doctor/checks.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>



namespace ringway::cli::doctor {

std::string_view to_string(Severity severity) noexcept {
  constexpr std::array<std::string_view, 5> kWords{"ok", "unchecked", "note", "warning", "error"};
  return kWords[static_cast<std::size_t>(severity)];
}

Findings run_checks(const Facts& facts) {
  constexpr std::array kChecks{
      check_service, check_versions, check_stale_sockets, check_orphaned_memory, check_logout,
      check_kernel, check_membarrier, check_io_uring, check_seccomp, check_memory,
      check_huge_pages, check_numa, check_locked_memory, check_descriptors,
      check_descriptor_store, check_mappings, check_tasks, check_clock, check_governor,
      check_cpu_quota, check_disk_room, check_sync_time};
  Findings all;
  for (const auto& check : kChecks) {
    Findings found = check(facts);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace ringway::cli::doctor
