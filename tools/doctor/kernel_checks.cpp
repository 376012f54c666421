#include <fmt/format.h>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/missing_feature.hpp"
#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {
namespace {

constexpr std::uint64_t kMajor = 6;
constexpr std::uint64_t kMinor = 1;

}  // namespace

Findings check_kernel(const Facts& facts) {
  const auto release = facts.word("/proc/sys/kernel/osrelease");
  if (!release) return not_checked("kernel", "/proc/sys/kernel/osrelease cannot be read");
  const auto major = number_in(*release);
  const std::size_t dot = release->find('.');
  const auto minor =
      dot == std::string::npos ? std::nullopt : number_in(release->substr(dot + 1));
  if (!major || !minor) return not_checked("kernel", fmt::format("'{}' is no version", *release));
  if (*major > kMajor || (*major == kMajor && *minor >= kMinor)) {
    // Linux 6.5 does.
    const std::string_view lacking =
        does_without(facts, "peerpidfd")
            ? ", which does not prove who connects: clients answer a challenge first"
            : "";
    return well("kernel", fmt::format("Linux {}{}", *release, lacking));
  }
  return {{Severity::error, "kernel", fmt::format("Linux {}", *release),
           "Ringway is made for and tested on Linux 6.1 and later",
           "apt-get install linux-image-amd64 && systemctl reboot"}};
}

Findings check_membarrier(const Facts& facts) {
  const bool missing = does_without(facts, "membarrier");
  if (facts.membarrier && !missing) return well("membarrier", "the kernel has it");
  const Cause cause = cause_of_missing(facts, {"membarrier", {"membarrier"}});
  return {{Severity::warning, "membarrier",
           fmt::format("{} does without it: {}", missing ? "ringwayd" : "this shell", cause.what),
           "every publish pays for a fence, and who waits looks again every millisecond",
           cause.fix}};
}

Findings check_io_uring(const Facts& facts) {
  const bool missing = does_without(facts, "io_uring");
  // Kernels before 6.6 do not have the setting.
  const auto setting = facts.word("/proc/sys/kernel/io_uring_disabled");
  if (!setting && !missing && !facts.read("/proc/sys/kernel/osrelease")) {
    return not_checked("io_uring", "/proc/sys/kernel/io_uring_disabled cannot be read");
  }
  const std::string disabled = setting.value_or("0");
  if (!missing && disabled == "0") return well("io_uring", "allowed");
  // 1: but for who may do anything, and a group.
  if (!missing && disabled == "1" && facts.answers) {
    return well("io_uring", "restricted on this host, and ringwayd has it");
  }
  const std::string allow = "sysctl -w kernel.io_uring_disabled=0";
  const Cause cause =
      disabled == "0"
          ? cause_of_missing(
                facts, {"io_uring", {"io_uring_setup", "io_uring_enter", "io_uring_register"}})
          : Cause{fmt::format("kernel.io_uring_disabled = {}", disabled),
                  missing ? fmt::format("{} && {}", allow, facts.restart()) : allow};
  return {{Severity::warning, "io_uring",
           fmt::format("{}: {}", missing ? "ringwayd does without it" : "forbidden on this host",
                       cause.what),
           "the log is written by pwrite instead, at a lower rate", cause.fix}};
}

Findings check_seccomp(const Facts& facts) {
  const std::string path = facts.process() + "/status";
  const auto text = facts.read(path);
  if (!text) return not_checked("seccomp", path + " cannot be read");
  const auto mode = line_behind(*text, "Seccomp:");
  if (!mode) return not_checked("seccomp", "the kernel does not say");
  // What a filter refuses has a check of its own, which tells whether the filter is the cause.
  return well("seccomp", fmt::format("{} filter on {}", *mode == "0" ? "no" : "a", facts.whose()));
}

}  // namespace ringway::cli::doctor
