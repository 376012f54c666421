#include "daemon/trouble_response.hpp"

#include <fmt/format.h>

#include "ringway/error.hpp"

namespace ringway::daemon {

void TroubleResponse::respond(const ServedTopic& served, const Trouble& trouble) {
  const auto found = registry_.all().find(served.name());
  if (found == registry_.all().end()) return;
  const std::shared_ptr<Topic> topic = found->second;
  // Of another ring, or known to be on its way already.
  if (topic->served.get() != &served || topic->replacement || topic->deleting) return;
  switch (trouble.kind) {
    case Trouble::Kind::stopped_claim:
      if (topic->settings.when_stopped == WhenStopped::kill) return kill(*topic, trouble);
      return replace(topic, "stopped_claim");
    case Trouble::Kind::long_pin:
      TopicRegistry::forget_retired(*topic);
      if (!topic->retired.empty()) {
        return say_once(*topic, "ring_not_replaced",
                        fmt::format("pid {} holds records in place, and the ring before this one "
                                    "is still held, too",
                                    trouble.pid));
      }
      return replace(topic, "long_pin");
    case Trouble::Kind::worn_out:
      return replace(topic, "worn_out");
  }
}

void TroubleResponse::replace(const std::shared_ptr<Topic>& topic, std::string_view reason) {
  try {
    registry_.replace_ring(topic, topic->settings, reason, {});
  } catch (const Error& error) {
    say_once(*topic, "ring_not_replaced", error.what());
  }
}

void TroubleResponse::kill(const Topic& topic, const Trouble& trouble) {
  const bool killed = sessions_.kill_holder(trouble.handle);
  parts_.log.warning(killed ? "stopped_producer_killed" : "stopped_producer_not_killed",
                     {{"topic", topic.row.name},
                      {"partition", trouble.partition},
                      {"pid", trouble.pid},
                      {"held_its_claim_ms", topic.settings.stopped_after_ms}});
}

void TroubleResponse::say_once(const Topic& topic, std::string_view event, const std::string& why) {
  if (!said_.emplace(topic.row.generation, fmt::format("{} {}", topic.row.name, why)).second) {
    return;
  }
  parts_.log.warning(event, {{"topic", topic.row.name}, {"why", why}});
}

}  // namespace ringway::daemon
