#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "control/shell_word.hpp"
#include "control/status_trouble.hpp"
#include "tools/doctor/checks.hpp"
#include "tools/doctor/proc_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

using control::StatusTrouble;
using control::TroubleKind;

/// Has the log say what it lost, with the supervisor stopped.
std::string repair_of(const Facts& facts, const std::string& topic) {
  const auto repair = [&](std::string_view how) {
    return control::typed("ringway log repair", {topic},
                 fmt::format("--state-dir {} {}", control::shell_quoted(facts.state_dir), how));
  };
  if (!facts.unit.name.ends_with(".service") || facts.unit.of_user) {
    return repair("--dry-run") + "  # says what is to be stopped first, and what --yes does then";
  }
  return fmt::format("{} && {}; {}  # or put the file back, and restart",
                     systemctl_all("stop", facts.unit), repair("--yes"),
                     systemctl_all("start", facts.unit));
}

/// A new ring of the size it has.
std::string other_ring_of(const Facts& facts, const std::string& name) {
  const auto known = std::ranges::find(facts.topics, name, &TopicRoom::name);
  if (known == facts.topics.end() || known->ring_bytes == 0) {
    return control::typed("ringway topic describe", {name}) +
           "  # a new ring of the size it has: topic alter";
  }
  return known->with_rings_of(known->ring_bytes) + "  # a new one of its size";
}

/// Where only what the supervisor said tells more.
std::string look_at_journal(const Facts& facts) {
  if (facts.unit.name.empty()) return "ringway status  # and what ringwayd wrote on its stderr";
  return fmt::format("journalctl {}{} -p warning -n 20  # mend what it says",
                     facts.unit.of_user ? "--user-unit=" : "--unit=",
                     control::shell_quoted(facts.unit.name));
}

/// Not as its unit allows, or not where something else is. The words are the supervisor's own.
std::string remedy_of_metrics(const Facts& facts, const StatusTrouble& trouble) {
  if (trouble.reason.find("metrics-port.conf") != trouble.reason.npos) {
    return facts.with_setting(
        "PrivateNetwork=no and, below it, RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 and, "
        "below it, IPAddressAllow=localhost");
  }
  const std::string setting = trouble.reason.substr(0, trouble.reason.find_first_of(" :"));
  if (facts.unit.name.empty() || facts.unit.of_user) {
    return fmt::format("{}  # with another {}", facts.restart(), setting);
  }
  const std::string name = std::filesystem::path(facts.runtime_dir).filename().string();
  return fmt::format("${{EDITOR:-vi}} {} && {}  # another {}",
                     control::shell_quoted(fmt::format("/etc/{}/ringwayd.toml", name)),
                     facts.restart(), setting);
}

std::string remedy_of_topic(const Facts& facts, const StatusTrouble& trouble) {
  switch (trouble.what) {
    case TroubleKind::segment_damaged:
    case TroubleKind::segment_missing:
      return repair_of(facts, trouble.topic);
    case TroubleKind::topic_not_served:
      return facts.restart() + "  # when what it says is mended";
    case TroubleKind::disk_full:
      return facts.make_room();
    case TroubleKind::disk_error:
      return control::typed("ringway topic alter", {trouble.topic}, "--when-disk-fails memory") +
             "  # until it is mended";
    case TroubleKind::segment_not_removed:
      return fmt::format("lsattr {0}; ls -ld {0}; findmnt -T {0}  # why it cannot be removed",
                         control::shell_quoted(trouble.path));
    case TroubleKind::retention_held:
      return control::typed("ringway cursor list", {trouble.topic}) +
             "  # what nobody needs: ringway cursor delete";
    case TroubleKind::quarantined:
      return other_ring_of(facts, trouble.topic);
    default:
      return {};
  }
}

std::string remedy_of_process(const StatusTrouble& trouble) {
  switch (trouble.what) {
    case TroubleKind::stopped_claim:
      return fmt::format("kill -CONT {0}  # or kill -9 {0}, which repairs its claim at once",
                         trouble.pid);
    case TroubleKind::keeper_stands_still:
      return fmt::format("kill -CONT {0}  # or kill -9 {0}, and another gets everything again",
                         trouble.pid);
    case TroubleKind::pinned:
    case TroubleKind::slow_consumer:
      return fmt::format("kill {}  # if it is not to be waited for", trouble.pid);
    default:
      return {};
  }
}

/// What to do about one thing that `status` names, as the manual has it. Its kind alone decides: a
/// topic's name is somebody's choice, and what else is said is for people.
std::string remedy_of_trouble(const Facts& facts, const StatusTrouble& trouble) {
  std::string fix;
  if (trouble.what == TroubleKind::disk_short) {
    fix = facts.make_room();
  } else if (trouble.what == TroubleKind::metrics_not_served) {
    fix = remedy_of_metrics(facts, trouble);
  } else if (trouble.what == TroubleKind::log_without_topic && trouble.path.starts_with('/')) {
    fix = control::typed("mv", {trouble.path, trouble.path + ".aside"}) +
          "  # out of the way; or restore the catalog that has its topic";
  }
  if (fix.empty() && !trouble.topic.empty()) fix = remedy_of_topic(facts, trouble);
  if (fix.empty() && trouble.pid > 1) fix = remedy_of_process(trouble);
  return fix.empty() ? look_at_journal(facts) : fix;
}

std::string listed(const std::set<std::uint32_t>& pids) {
  return fmt::format("{}", fmt::join(pids, " "));
}

/// Boards of one supervisor that is dead, or of which that cannot be told.
class Orphans {
 public:
  void add(const FoundBoard& board) {
    topics_.insert(board.topic);
    holders_[board.kind].insert(board.holder);
    known_ = known_ && board.supervisor_state == "dead";
    if (board.kind == HolderKind::keeper) keeper_ = board;
  }

  std::set<std::uint32_t> holders(HolderKind kind) const {
    const auto found = holders_.find(kind);
    return found == holders_.end() ? std::set<std::uint32_t>{} : found->second;
  }

  Finding finding(const Facts& facts, std::uint32_t supervisor) const {
    const std::string rings = counted(topics_.size(), "ring");
    if (!known_) {
      std::set<std::uint32_t> all;
      for (const auto& [kind, pids] : holders_) all.insert(pids.begin(), pids.end());
      return not_checked("orphaned_memory",
                         fmt::format("{}, held by pid {}: whether supervisor {} lives is known in "
                                     "its own pid namespace only",
                                     rings, listed(all), supervisor))
          .front();
    }
    Finding found{Severity::warning, "orphaned_memory",
                  fmt::format("{} of supervisor {}, which is dead, ", rings, supervisor),
                  "records that are in no log yet wait there for the next supervisor"};
    if (const auto managers = holders(HolderKind::service_manager); !managers.empty()) {
      found.what += "in the service manager's store";
      const bool of_user = *managers.begin() != 1;
      const bool this_unit = !facts.answers && !facts.unit.name.empty() &&
                             facts.unit.of_user == of_user;
      found.fix = this_unit ? remedy_of(facts.service).fix
                            : systemctl("start", {"ringwayd.service", of_user});
      found.fix += "  # which adopts them";
    } else if (keeper_) {
      found.what += fmt::format("held by its keeper, pid {}", keeper_->holder);
      // Where links of its user lead is nothing for root.
      std::string as_whom;
      if (const std::string& owner = keeper_->owner; !owner.empty()) {
        as_whom = fmt::format("runuser -u {} -- ", control::shell_quoted(owner));
      }
      found.fix = fmt::format(
          "{}ringwayd --runtime-dir {} --state-dir {}  # adopts them; what nobody needs: kill {}",
          as_whom, control::shell_quoted(keeper_->runtime_dir),
          control::shell_quoted(keeper_->state_dir), listed(holders(HolderKind::keeper)));
    } else {
      const std::string pids = listed(holders(HolderKind::client));
      found.severity = Severity::note;
      found.what += fmt::format("held by its clients alone (pid {})", pids);
      found.why =
          "no supervisor adopts them: what is in no log is lost, and the memory is free when they "
          "have found a new one, or ended";
      found.fix = fmt::format("ps -fp '{}'  # restart what does not go on by itself", pids);
    }
    return found;
  }

 private:
  std::set<std::string> topics_;
  std::map<HolderKind, std::set<std::uint32_t>> holders_;
  std::optional<FoundBoard> keeper_;
  bool known_ = true;
};

}  // namespace

Findings check_service(const Facts& facts) {
  if (!facts.refusal_fix.empty()) {
    return {{Severity::error, "service",
             fmt::format("{} serves, and lets nobody in from here: {}", facts.socket,
                         facts.silence),
             "every client that is started as this command is refused as well",
             facts.refusal_fix}};
  }
  if (!facts.answers) {
    const Remedy remedy = remedy_of(facts.service);
    const std::string cause = remedy.cause.empty() ? "" : "; " + remedy.cause;
    return {{Severity::error, "service", fmt::format("nobody serves: {}{}", facts.silence, cause),
             "clients that are connected go on until their rings are full; nobody else is let in",
             remedy.cause.empty() ? facts.restart() + "  # with the options it had, as its user"
                                  : remedy.fix}};
  }
  Findings found;
  for (const StatusTrouble& trouble : control::troubles_in(facts.status)) {
    found.push_back({Severity::warning, "service", trouble.text,
                     "it serves, but what is named here does not do all that it should",
                     remedy_of_trouble(facts, trouble)});
  }
  if (found.empty()) {
    const std::string who =
        facts.supervisor != 0
            ? fmt::format("pid {}", facts.supervisor)
            : fmt::format("pid {} of another pid namespace", facts.status.value("pid", 0));
    return well("service", fmt::format("{} serves at {}", who, facts.socket));
  }
  return found;
}

Findings check_versions(const Facts& facts) {
  if (!facts.answers) return not_checked("versions", facts.silence);
  Findings found;
  const std::string daemon = facts.status.value("version", "unknown");
  if (daemon != facts.version) {
    found.push_back({Severity::warning, "versions",
                     fmt::format("ringwayd is {}, this command is {}", daemon, facts.version),
                     "one of them is older: an upgrade was not followed by a restart",
                     facts.restart()});
  }
  for (const auto& session : facts.status.value("sessions", nlohmann::json::array())) {
    const std::string version = session.value("version", "");
    if (version.empty() || version == daemon || session.value("pid", 0) == facts.self) continue;
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
                     "library, command and supervisor are not of one installation",
                     facts.restart()});
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
                     fmt::format("{}  # takes its place; nobody needs it: {}", facts.restart(),
                                 control::typed("rm", {socket.path}))});
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
  std::map<std::uint32_t, Orphans> by_supervisor;
  for (const FoundBoard& board : facts.boards) {
    if (board.supervisor_state == "alive" || board.supervisor_state == "stopped") continue;
    by_supervisor[board.supervisor].add(board);
  }
  Findings found;
  for (const auto& [supervisor, orphans] : by_supervisor) {
    // A successor that is about to serve them.
    if (!orphans.holders(HolderKind::supervisor).empty()) continue;
    found.push_back(orphans.finding(facts, supervisor));
  }
  if (!found.empty()) return found;
  if (!facts.sees_all) {
    return not_checked("orphaned_memory",
                       "other users' processes can be seen by root only, in /proc");
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
