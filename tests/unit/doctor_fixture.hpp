#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "tools/doctor/facts.hpp"
#include "tools/doctor/finding.hpp"

namespace ringway::cli::doctor {

inline constexpr const char* kLimits =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max open files            1024                 524288               files     \n"
    "Max locked memory         8388608              unlimited            bytes     \n";

/// A host on which all is well.
struct Host : Facts {
  std::map<std::string, std::string> files{
      {"/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"},
      {"/proc/sys/kernel/io_uring_disabled", "0\n"},
      {"/proc/7/status", "Seccomp:\t0\nMems_allowed_list:\t0\n"},
      {"/proc/7/limits", kLimits},
      {"/proc/7/maps", "a\nb\n"},
      {"/proc/7/cgroup", "0::/system.slice/ringwayd.service\n"},
      {"/proc/sys/vm/max_map_count", "65530\n"},
      {"/proc/sys/vm/overcommit_memory", "0\n"},
      {"/proc/meminfo",
       "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\nCommitLimit: 1024 kB\n"
       "Committed_AS: 24 kB\n"},
      {"/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [within_size] advise never\n"},
      {"/sys/devices/system/node/online", "0\n"},
      {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
      {"/proc/cpuinfo", "flags\t\t: fpu constant_tsc nonstop_tsc sse\n"},
      {"/sys/devices/system/cpu/online", "0-1,3\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"},
      {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"},
      {"/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n"},
      {"/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"},
      {"/sys/fs/cgroup/system.slice/cgroup.controllers", "cpu memory pids\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n"},
      {"/sys/fs/cgroup/system.slice/memory.max", "max\n"},
      {"/sys/fs/cgroup/system.slice/memory.current", "4096\n"},
      {"/sys/fs/cgroup/system.slice/pids.max", "max\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/cgroup.controllers", "memory pids\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/memory.max", "max\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/memory.current", "4096\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/pids.max", "max\n"},
  };

  Host() {
    read = [this](const std::string& path) -> std::optional<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return {};
      return found->second;
    };
    answers = true;
    supervisor = 7;
    status = {{"pid", 7},          {"version", "0.1.0"},
              {"topics", 3},       {"sessions", nlohmann::json::array()},
              {"memory", {{"used", 1 << 20}, {"limit", 1 << 30}}}};
    version = "0.1.0";
    layout = "1.4";
    runtime_dir = "/run/ringway";
    state_dir = "/var/lib/ringway";
    unit = {"ringwayd.service", false};
    membarrier = true;
    sees_all = true;
    user = "somebody";
    sync.times = {std::chrono::microseconds(100), std::chrono::microseconds(200)};
    disk = DiskRoom{1ULL << 40, 1ULL << 41};
    keep_free = 1ULL << 36;
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
};

/// The one finding of a check, which says why and how where it is not well.
inline Finding only(const Findings& findings) {
  REQUIRE(findings.size() == 1);
  const Finding& finding = findings.front();
  CHECK((finding.severity < Severity::note) == finding.why.empty());
  CHECK(finding.why.empty() == finding.fix.empty());
  if (finding.severity == Severity::unchecked) CHECK(!finding.what.empty());
  return finding;
}

inline Severity severity(const Findings& findings) {
  return only(findings).severity;
}

}  // namespace ringway::cli::doctor
