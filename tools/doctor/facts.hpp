#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/found_memory.hpp"
#include "tools/ringwayd_start.hpp"
#include "tools/service_state.hpp"
#include "tools/service_unit.hpp"

namespace ringway::cli::doctor {

/// How long it takes to make 4 KiB durable in the state directory.
struct SyncTimes {
  std::vector<std::chrono::nanoseconds> times{};  ///< sorted; empty: not measured
  std::string why_not{};
  bool in_memory = false;  ///< tmpfs: nothing there outlives a reboot
};

struct DiskRoom {
  std::uint64_t free = 0;
  std::uint64_t total = 0;
};

/// The service manager's descriptor store of a unit.
struct DescriptorStore {
  std::uint64_t used = 0;
  std::uint64_t most = 0;
};

/// A topic as what mends the disk needs it.
struct TopicRoom {
  std::string name{};
  std::uint64_t ring_bytes = 0;       ///< of one partition
  bool on_disk = false;               ///< persisted, and synced
  std::uint64_t trimmable_bytes = 0;  ///< that trimming it frees; asked for where room is short

  /// The command that gives it rings of that size.
  std::string with_rings_of(std::uint64_t bytes) const;
};

struct FoundSocket {
  std::string path;
  bool listened = false;
};

/// Everything that checks judge by, so that tests can set each of them.
struct Facts {
  /// The text of a file of /proc, /sys or /etc; none where there is none, or none to be read.
  std::function<std::optional<std::string>(const std::string& path)> read;
  bool answers = false;   ///< a supervisor does
  std::string silence{};  ///< why none does
  std::string refusal_fix{};  ///< against that, where one is there that answers nothing else
  nlohmann::json status = nlohmann::json::object();  ///< as it says
  pid_t supervisor = 0;     ///< by its pid here; 0: unknown
  bool in_ringwayd = true;  ///< and not in a program of somebody's
  std::optional<RingwaydStart> start{};  ///< of it; none: nobody serves, or it may not be seen
  std::string owner{};      ///< whose that process is; "": of the user who asks, or unknown
  pid_t self = 0;
  std::optional<std::uint64_t> descriptors{};  ///< that it has open; none: not for this user
  ServiceState service{};  ///< of one that does not answer
  Unit unit{};     ///< that serves, or is to
  std::optional<DescriptorStore> store{};  ///< of that; none: not known
  std::string call_filter{};  ///< SystemCallFilter= of it, as systemd says; "": none, or not known
  std::string socket{}, runtime_dir{}, state_dir{};
  bool usual_state_dir = false;  ///< nobody said which: it is the one where ringwayd looks itself
  bool membarrier = false;
  SyncTimes sync{};
  std::optional<DiskRoom> disk{};
  std::optional<std::uint64_t> keep_free{};  ///< disk.keep_free of it, in bytes; none: unknown
  std::vector<TopicRoom> topics{};  ///< that this user may see
  std::vector<FoundSocket> sockets{};
  std::string unseen_socket{};  ///< one that may be there: who looks may not look there
  std::vector<FoundBoard> boards{};  ///< in processes that this user may look into
  bool sees_all = false;             ///< these are all processes
  uid_t uid = 0;
  std::string user{};
  std::string version{};  ///< of this program
  std::string layout{};   ///< that it knows: "1.4"

  /// Where the kernel shows what the supervisor has; without one, what this shell has.
  std::string process() const {
    return supervisor == 0 ? "/proc/self" : "/proc/" + std::to_string(supervisor);
  }
  std::string whose() const { return supervisor == 0 ? "this shell" : "ringwayd"; }
  /// The command that starts a supervisor on what this one leaves, or left.
  std::string restart() const;
  /// What to type so that ringwayd runs with a setting of systemd, as "LimitNOFILE=524288".
  std::string with_setting(std::string_view setting) const;
  /// What is to stay free of `disk`, which is known.
  std::uint64_t kept_free() const;
  /// Whether the disk is so full that it is a finding.
  bool is_short_of_room() const;
  /// What to type for room on it.
  std::string make_room() const;
  /// The file without white space around it.
  std::optional<std::string> word(const std::string& path) const;
};

}  // namespace ringway::cli::doctor
