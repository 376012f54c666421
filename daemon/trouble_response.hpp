#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/session_table.hpp"
#include "daemon/topic_registry.hpp"

namespace ringway::daemon {

/// What the supervisor does, by each topic's settings, about a producer that stands still in
/// mid-claim, a pin that is held too long, a ring whose positions run out. Control thread only.
class TroubleResponse {
 public:
  TroubleResponse(const SupervisorParts& parts, TopicRegistry& registry, SessionTable& sessions)
      : parts_(parts), registry_(registry), sessions_(sessions) {}

  /// The flusher saw `trouble` on the ring `served`. Told again while it lasts.
  void respond(const ServedTopic& served, const Trouble& trouble);

  /// By the topics' policies, since this supervisor began.
  struct Killed {
    std::uint64_t producers = 0;
    std::uint64_t consumers = 0;
  };
  Killed killed() const noexcept { return killed_; }

 private:
  struct KillEvents {
    EventName killed;
    EventName refused;
    std::string_view held;  ///< the key that says for how long
    std::uint32_t held_ms;
  };

  bool replace(const std::shared_ptr<Topic>& topic, ReplacedBecause reason,
               std::function<void()> refused);
  void answer_pin(const std::shared_ptr<Topic>& topic, const Trouble& trouble, bool refused);
  void take_in_place_reading(const Topic& topic, const Trouble& trouble);
  void kill_producer(const Topic& topic, const Trouble& trouble);
  void kill_consumer(const Topic& topic, const Trouble& trouble);
  bool kill(const Topic& topic, const Trouble& trouble, const KillEvents& events);
  void say_once(const Topic& topic, EventName event, const std::string& why);

  SupervisorParts parts_;
  TopicRegistry& registry_;
  SessionTable& sessions_;
  Killed killed_;
  std::set<std::pair<std::uint64_t, std::string>> said_;  ///< by generation: what was said of it
};

}  // namespace ringway::daemon
