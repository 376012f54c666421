#include "tools/bundle/unit_commands.hpp"

namespace ringway::cli::bundle {

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
