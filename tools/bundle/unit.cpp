#include "tools/bundle/unit.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace ringway::cli::bundle {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Unit unit_in(const std::string& cgroup) {
  std::istringstream lines(cgroup);
  for (std::string line; std::getline(lines, line);) {
    std::string last = line.substr(line.rfind('/') + 1);
    if (!last.ends_with(".service")) continue;
    return {std::move(last), line.find("/user@") != std::string::npos};
  }
  return {};
}

Unit unit_of(pid_t pid) {
  return unit_in(content(fmt::format("/proc/{}/cgroup", pid)));
}

bool is_ringwayd(pid_t pid) {
  std::error_code refused;
  const auto program = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), refused);
  // Another user's may not be looked at, but for its short name.
  if (refused) return content(fmt::format("/proc/{}/comm", pid)) == "ringwayd\n";
  const std::string name = program.filename().string();
  return name == "ringwayd" || name == "ringwayd (deleted)";  // upgraded meanwhile
}

bool is_service_manager(pid_t pid) {
  const std::string name = content(fmt::format("/proc/{}/comm", pid));
  return name == "systemd\n" || (pid == 1 && name == "init\n");
}

std::vector<std::string> state_command(const Unit& unit) {
  std::vector<std::string> words{"systemctl", "show", "--no-pager"};
  if (unit.of_user) words.emplace_back("--user");
  words.emplace_back(
      "--property=Id,LoadState,ActiveState,SubState,Result,Type,FragmentPath,DropInPaths,"
      "ExecMainPID,ExecMainCode,ExecMainStatus,ExecMainStartTimestamp,NRestarts,User,Group,"
      "WatchdogUSec,TimeoutStopUSec,KillMode,OOMPolicy,OOMScoreAdjust,FileDescriptorStoreMax,"
      "NFileDescriptorStore,LimitNOFILE,LimitMEMLOCK,LimitAS,MemoryCurrent,MemoryHigh,MemoryMax,"
      "TasksCurrent,TasksMax,CPUQuotaPerSecUSec,CPUUsageNSec,ControlGroup");
  words.insert(words.end(), {"--", unit.name});
  return words;
}

std::vector<std::string> journal_command(const Unit& unit) {
  return {"journalctl", (unit.of_user ? "--user-unit=" : "--unit=") + unit.name, "-n", "5000",
          "--no-pager", "-o", "short-iso-precise"};
}

}  // namespace ringway::cli::bundle
