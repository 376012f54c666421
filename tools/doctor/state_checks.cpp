#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/proc_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

constexpr const char* kRestart = "systemctl restart ringwayd";

}  // namespace

Findings check_service(const Facts& facts) {
  if (!facts.answers) {
    return {{Severity::error, "service", fmt::format("nobody serves: {}", facts.silence),
             "clients that are connected go on until their rings are full; nobody else is let in",
             "systemctl start ringwayd  # or: ringwayd, as the user whose bus it is"}};
  }
  Findings found;
  for (const auto& trouble : facts.status.value("degraded", nlohmann::json::array())) {
    found.push_back({Severity::warning, "service",
                     trouble.is_string() ? trouble.get<std::string>() : trouble.dump(),
                     "it serves, but what is named here does not do all that it should",
                     "ringway status; daemon/README.md: what to do when"});
  }
  if (found.empty()) {
    return well("service", fmt::format("pid {} serves at {}", facts.supervisor, facts.socket));
  }
  return found;
}

Findings check_versions(const Facts& facts) {
  if (!facts.answers) return not_checked("versions", "nobody serves");
  Findings found;
  const std::string daemon = facts.status.value("version", "unknown");
  if (daemon != facts.version) {
    found.push_back({Severity::warning, "versions",
                     fmt::format("ringwayd is {}, this command is {}", daemon, facts.version),
                     "one of them is older: an upgrade was not followed by a restart", kRestart});
  }
  for (const auto& session : facts.status.value("sessions", nlohmann::json::array())) {
    const std::string version = session.value("version", "");
    if (version.empty() || version == daemon) continue;
    found.push_back(
        {Severity::note, "versions",
         fmt::format("pid {} ({}) has library {}, ringwayd is {}", session.value("pid", 0),
                     session.value("client", ""), version, daemon),
         "it goes on, without what the newer one knows",
         fmt::format("restart that program when it suits: kill {}", session.value("pid", 0))});
  }
  for (const FoundBoard& board : facts.boards) {
    const bool served = board.supervisor == static_cast<std::uint32_t>(facts.supervisor);
    if (board.layout == facts.layout || !served) continue;
    found.push_back({Severity::warning, "versions",
                     fmt::format("memory of topic '{}' is of layout {}, this command knows {}",
                                 board.topic, board.layout, facts.layout),
                     "library, command and supervisor are not of one installation", kRestart});
  }
  const auto left_out = facts.status.value("left_out", nlohmann::json::object());
  const auto unseen = left_out.value("sessions", std::uint64_t{0});
  if (found.empty() && unseen != 0) {
    return not_checked("versions", fmt::format("there is no room in `status` for {}; all others "
                                               "are {}",
                                               counted(unseen, "client"), daemon));
  }
  if (found.empty()) return well("versions", fmt::format("all {}", daemon));
  return found;
}

Findings check_stale_sockets(const Facts& facts) {
  Findings found;
  for (const FoundSocket& socket : facts.sockets) {
    if (socket.listened) continue;
    found.push_back({Severity::warning, "stale_sockets",
                     fmt::format("nobody listens at {}", socket.path),
                     "its owner was killed; clients are refused at once instead of finding nothing",
                     "systemctl restart ringwayd  # takes its place; or rm " + socket.path});
  }
  if (found.empty() && !facts.unseen_socket.empty()) {
    return not_checked("stale_sockets",
                       fmt::format("{} is not to be seen by {}", facts.unseen_socket, facts.user));
  }
  if (found.empty()) {
    return well("stale_sockets", fmt::format("none in {}", facts.runtime_dir));
  }
  return found;
}

Findings check_orphaned_memory(const Facts& facts) {
  std::map<std::uint32_t, std::pair<std::set<std::string>, std::set<std::uint32_t>>> orphans;
  for (const FoundBoard& board : facts.boards) {
    if (board.supervisor_state != "dead") continue;
    orphans[board.supervisor].first.insert(board.topic);
    orphans[board.supervisor].second.insert(board.holder);
  }
  Findings found;
  for (const auto& [supervisor, what] : orphans) {
    std::string pids;
    for (const std::uint32_t pid : what.second) pids += fmt::format(" {}", pid);
    found.push_back({Severity::warning, "orphaned_memory",
                     fmt::format("{} of supervisor {}, which is dead, held by pid{}",
                                 counted(what.first.size(), "ring"), supervisor, pids),
                     "records that are in no log yet wait there for the next supervisor",
                     "systemctl start ringwayd  # adopts them; what nobody needs: kill" + pids});
  }
  if (!found.empty()) return found;
  if (!facts.sees_all) {
    return not_checked("orphaned_memory", "other users' processes can be seen by root only, in /proc");
  }
  return well("orphaned_memory", "all memory has a supervisor");
}

Findings check_logout(const Facts& facts) {
  if (!facts.runtime_dir.starts_with("/run/user/")) {
    return well("logout", "memory files have no name that logind's RemoveIPC= could remove; "
                          "sockets are not a user's");
  }
  if (facts.read("/var/lib/systemd/linger/" + facts.user)) {
    return well("logout", fmt::format("{} lingers: nothing ends with a session", facts.user));
  }
  const std::string conf = facts.read("/etc/systemd/logind.conf").value_or("");
  const bool kills = line_behind(conf, "KillUserProcesses=") == "yes";
  return {{Severity::warning, "logout",
           fmt::format("{} is removed when {} logs out{} (RemoveIPC= does not touch memory files)",
                       facts.runtime_dir, facts.user, kills ? ", whose processes are killed" : ""),
           "the bus cannot be reached then, though its processes may go on",
           "loginctl enable-linger " + facts.user}};
}

}  // namespace ringway::cli::doctor
