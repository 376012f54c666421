#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/status_trouble.hpp"
#include "daemon/topic_registry.hpp"
#include "log/retention.hpp"

namespace ringway::daemon {

/// Lets the oldest segments go, by each topic's limits and the disk's free space, past what no
/// protecting cursor wants; the flusher removes them, and answers. What it cannot remove is tried
/// again after a while, and told until then. The rule is lib/log's. Control thread, about once a
/// second.
class Retention {
 public:
  explicit Retention(const SupervisorParts& parts) : parts_(parts) {}

  void run(const TopicRegistry& registry);

  /// While the disk has less free than it should: what keeps segments from being removed. As
  /// of the last run. And what cannot be removed, however much is free.
  std::vector<control::StatusTrouble> troubles() const;

  /// Segments of all topics, since this supervisor began.
  const log::RetiredBy& retired() const noexcept { return retired_; }

 private:
  struct Refused {
    int error;
    control::StatusTrouble trouble;
    std::chrono::steady_clock::time_point retry_at;
  };
  using Place = std::pair<shm::Uuid, std::uint32_t>;  ///< topic, partition

  void retire(const Topic& topic, std::uint32_t partition, const log::RetiredBy& by,
              std::uint64_t first_kept);
  void settle(const ServedTopic& topic, std::uint32_t partition, const log::RetiredBy& by,
              const SegmentRemoval& removal);

  SupervisorParts parts_;
  std::vector<control::StatusTrouble> held_;
  std::map<Place, Refused> refused_;
  log::RetiredBy retired_{};
};

}  // namespace ringway::daemon
