#pragma once

#include <vector>

#include "control/status_trouble.hpp"
#include "daemon/topic_registry.hpp"
#include "log/retention.hpp"

namespace ringway::daemon {

/// Lets the oldest segments go, by each topic's limits and the disk's free space, past what no
/// protecting cursor wants; the flusher removes them. The rule is lib/log's. Control thread, about
/// once a second.
class Retention {
 public:
  explicit Retention(const SupervisorParts& parts) : parts_(parts) {}

  void run(const TopicRegistry& registry);

  /// While the disk has less free than it should: what keeps segments from being removed. As
  /// of the last run.
  const std::vector<control::StatusTrouble>& held() const noexcept { return held_; }

  /// Segments of all topics, since this supervisor began.
  const log::RetiredBy& retired() const noexcept { return retired_; }

 private:
  SupervisorParts parts_;
  std::vector<control::StatusTrouble> held_;
  log::RetiredBy retired_{};
};

}  // namespace ringway::daemon
