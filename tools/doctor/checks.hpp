#pragma once

#include "tools/doctor/facts.hpp"
#include "tools/doctor/finding.hpp"

namespace ringway::cli::doctor {

// Each looks at one thing, says what it found also where that is well, and never throws: where it
// cannot look it says so. Pure but for Facts::read.

Findings check_service(const Facts& facts);  // who serves, and what it says of itself
Findings check_versions(const Facts& facts);
Findings check_stale_sockets(const Facts& facts);
Findings check_orphaned_memory(const Facts& facts);
Findings check_logout(const Facts& facts);  // RemoveIPC, and what else ends with a session

Findings check_kernel(const Facts& facts);
Findings check_membarrier(const Facts& facts);
Findings check_io_uring(const Facts& facts);
Findings check_seccomp(const Facts& facts);

Findings check_memory(const Facts& facts);  // RAM, overcommit and cgroups, for the rings
Findings check_huge_pages(const Facts& facts);
Findings check_numa(const Facts& facts);

Findings check_locked_memory(const Facts& facts);
Findings check_descriptors(const Facts& facts);
Findings check_mappings(const Facts& facts);
Findings check_descriptor_store(const Facts& facts);
Findings check_tasks(const Facts& facts);

Findings check_clock(const Facts& facts);
Findings check_governor(const Facts& facts);
Findings check_cpu_quota(const Facts& facts);

Findings check_disk_room(const Facts& facts);
Findings check_sync_time(const Facts& facts);

/// All of them, in the order in which one would look.
Findings run_checks(const Facts& facts);

}  // namespace ringway::cli::doctor
