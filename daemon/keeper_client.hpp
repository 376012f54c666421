#pragma once

#include <optional>
#include <string>

#include "control/keeper_connection.hpp"
#include "daemon/descriptor_store.hpp"

namespace ringway::daemon {

/// Starts `executable --keeper RUNTIME_DIR STATE_DIR` as a process of its own that no death of this
/// one reaches, and returns once it can be connected to.
/// @throws Error with what the keeper said when it did not start.
void spawn_keeper(const std::string& executable, const std::string& runtime_dir,
                  const std::string& state_dir);

/// The descriptor store in a keeper process. A supervisor that finds death_fd() readable makes a
/// new client and puts everything again.
class KeeperClient final : public DescriptorStore {
 public:
  /// Attaches to the living keeper of the runtime directory, or starts one. Hold the directories'
  /// locks while calling it.
  /// @throws Error busy when that keeper belongs to another state directory.
  KeeperClient(const std::string& executable, const std::string& runtime_dir,
               const std::string& state_dir);

  void put(const std::string& name, const nlohmann::json& meta, int fd) override;
  void drop(const std::string& name) override;
  std::vector<KeptDescriptor> list() override;
  void end() override;
  int death_fd() const noexcept override { return connection_->fd(); }
  std::string_view kind() const noexcept override { return "keeper"; }

  /// Whether the keeper was there before, with what a predecessor left.
  bool found() const noexcept { return found_; }

 private:
  bool found_ = false;
  std::optional<control::KeeperConnection> connection_;  // always there once constructed
};

}  // namespace ringway::daemon
