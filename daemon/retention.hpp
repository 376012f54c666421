#pragma once

#include "daemon/topic_registry.hpp"

namespace ringway::daemon {

/// Lets the oldest segments go, by each topic's limits and the disk's free space, past what no
/// protecting cursor wants; the flusher removes them. The rule is lib/log's. Control thread, about
/// once a second.
class Retention {
 public:
  explicit Retention(const SupervisorParts& parts) : parts_(parts) {}

  void run(const TopicRegistry& registry);

 private:
  SupervisorParts parts_;
};

}  // namespace ringway::daemon
