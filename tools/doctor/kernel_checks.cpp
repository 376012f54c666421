#include <fmt/format.h>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {
namespace {

constexpr std::uint64_t kMajor = 6;
constexpr std::uint64_t kMinor = 1;

bool does_without(const Facts& facts, std::string_view feature) {
  for (const auto& each : facts.status.value("without", nlohmann::json::array())) {
    if (each == feature) return true;
  }
  return false;
}

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
    return well("kernel", fmt::format("Linux {}", *release));
  }
  return {{Severity::error, "kernel", fmt::format("Linux {}", *release),
           "Ringway is made for and tested on Linux 6.1 and later",
           "apt-get install linux-image-amd64 && systemctl reboot"}};
}

Findings check_membarrier(const Facts& facts) {
  if (facts.membarrier) return well("membarrier", "the kernel has it");
  return {{Severity::warning, "membarrier", "the kernel has none, or a seccomp filter refuses it",
           "every publish pays for a fence, and who waits looks again every millisecond",
           facts.with_setting("SystemCallFilter=membarrier")}};
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
  const std::string what = missing ? "ringwayd does without it" : "forbidden on this host";
  return {{Severity::warning, "io_uring",
           fmt::format("{} (kernel.io_uring_disabled = {})", what, disabled),
           "the log is written by pwrite instead, at a lower rate",
           disabled == "0" ? facts.with_setting("SystemCallFilter=@io-event")
                           : "sysctl -w kernel.io_uring_disabled=0"}};
}

Findings check_seccomp(const Facts& facts) {
  const std::string path = facts.process() + "/status";
  const auto text = facts.read(path);
  if (!text) return not_checked("seccomp", path + " cannot be read");
  const auto mode = line_behind(*text, "Seccomp:");
  if (!mode) return not_checked("seccomp", "the kernel does not say");
  if (*mode == "0") return well("seccomp", fmt::format("no filter on {}", facts.whose()));
  const auto without = facts.status.value("without", nlohmann::json::array());
  if (without.empty()) {
    return well("seccomp", fmt::format("a filter on {}, which lacks nothing", facts.whose()));
  }
  return {{Severity::warning, "seccomp",
           fmt::format("a filter on {}, which lacks {}", facts.whose(), without.dump()),
           "what a filter refuses is done without, more slowly",
           facts.with_setting("SystemCallFilter=@system-service")}};
}

}  // namespace ringway::cli::doctor
