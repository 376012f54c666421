#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/disk_room.hpp"
#include "ringway/topic.hpp"

namespace ringway::daemon {

/// How much of the state directory's disk the log leaves free.
struct KeepFree {
  std::uint64_t bytes = 0;
  std::uint32_t percent = control::kKeepFreePercent;  ///< counts when bytes is 0

  std::uint64_t of(std::uint64_t total_bytes) const noexcept {
    return bytes != 0 ? bytes : total_bytes / 100 * percent;
  }
};

/// Rights that the configuration adds to those a topic was created with.
struct TopicRights {
  std::vector<std::string> readers, writers, admins;
};

/// What keeps the descriptors of living rings when the supervisor dies: a process of its own, or
/// the service manager.
enum class StoreChoice : std::uint8_t { keeper, service };

/// Everything that can be chosen for a supervisor, with its defaults. Plain values; what they mean
/// stands in the table of config_keys.cpp, which `ringwayd --help` prints.
struct Config {
  std::filesystem::path socket;  ///< "" until complete(): control.sock in the runtime directory
  std::filesystem::path runtime_dir;
  std::filesystem::path state_dir;
  StoreChoice descriptor_store = StoreChoice::keeper;
  std::filesystem::path metrics_socket;  ///< "" until complete(): metrics.sock beside the other
  std::string metrics_listen;            ///< "127.0.0.1:9464"; "": nowhere
  bool metrics_at_socket = true;
  std::string log_level = "info";
  std::vector<std::string> create;  ///< users, @groups, "*"; the supervisor's user and root always

  std::uint64_t memory_bytes = 0;  ///< for rings; 0: half of the RAM or of the cgroup's limit
  std::uint32_t topics_max = 4096;
  std::uint32_t clients_max = 1024;
  std::uint32_t handles_per_topic_max = 256;
  std::uint32_t slots_per_client_max = 65'536;
  std::uint64_t stop_patience_ms = 5'000;

  KeepFree keep_free;
  TopicSettings defaults;  ///< of fields that a create request leaves out
  std::map<std::string, TopicRights, std::less<>> topics;

  /// Fills in the directories that were not chosen: default_runtime_dir(), default_state_dir().
  void complete();
};

/// A directory that nobody chose, and the variable of the environment that it follows from.
struct DefaultDirectory {
  std::filesystem::path path;
  std::string_view variable;  ///< "": it follows from none
};
/// As systemd says; else a system service lives in /run/ringway and /var/lib/ringway, anybody else
/// in the XDG base directories.
DefaultDirectory default_runtime_dir();
DefaultDirectory default_state_dir();

/// Where the configuration is: $CONFIGURATION_DIRECTORY of a service; /etc/ringway for root and for
/// what the system's service manager starts; else $XDG_CONFIG_HOME/ringway, or ~/.config/ringway.
/// Empty: nowhere.
std::filesystem::path config_directory();

}  // namespace ringway::daemon
