#include "daemon/trouble_response.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/quantity.hpp"
#include "daemon/pin_policy.hpp"
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
      if (topic->settings.when_stopped == WhenStopped::kill) return kill_producer(*topic, trouble);
      replace(topic, ReplacedBecause::stopped_claim, {});
      return;
    case Trouble::Kind::long_pin:
      return answer_pin(topic, trouble, false);
    case Trouble::Kind::worn_out:
      replace(topic, ReplacedBecause::worn_out, {});
      return;
  }
}

/// False: it is refused at once; `refused` is called when it is later, for want of memory.
bool TroubleResponse::replace(const std::shared_ptr<Topic>& topic, ReplacedBecause reason,
                              std::function<void()> refused) {
  try {
    // One whose positions run out has to wait.
    if (reason != ReplacedBecause::worn_out) TopicRegistry::demand_device(*topic);
    registry_.replace_ring(topic, topic->settings, reason,
                           [this, &of = *topic, refused = std::move(refused)](const auto& why) {
                             // Who may not end the ring that it has is told of elsewhere.
                             if (!why || why->code() == ErrorCode::busy) return;
                             say_once(of, "ring_not_replaced", why->what());
                             if (refused) refused();
                           });
    return true;
  } catch (const Error& error) {
    say_once(*topic, "ring_not_replaced", error.what());
    return false;
  }
}

void TroubleResponse::answer_pin(const std::shared_ptr<Topic>& topic, const Trouble& trouble,
                                 bool refused) {
  const layout::Attachment* const entry = sessions_.entry_of(trouble.handle);
  if (entry == nullptr) return;  // it is gone by now
  const auto holders = sessions_.holders_of_retired(*topic);
  // Relaxed: only this thread writes it.
  const std::uint32_t flags = entry->flags.load(std::memory_order::relaxed);
  LongPin pin{.copies = (flags & layout::kCopies) != 0, .alone = trouble.alone};
  const std::uint64_t pinned_now = sessions_.pin_of(trouble.handle, trouble.partition);
  pin.stands = pinned_now != layout::kNoPin && pinned_now == trouble.pin;
  for (const RetiredRing& ring : topic->retired) {
    if (holders.contains(ring.generation)) pin.retired_bytes += ring.ring_bytes;
  }
  if (!refused && answer(topic->settings, pin) == PinAnswer::replace) {
    const auto later = [this, weak = std::weak_ptr(topic), trouble] {
      if (const auto still = weak.lock()) answer_pin(still, trouble, true);
    };
    if (replace(topic, ReplacedBecause::long_pin, later)) return;
    refused = true;
  }
  pin.refused = refused;
  switch (answer(topic->settings, pin)) {
    case PinAnswer::copy:
      return take_in_place_reading(*topic, trouble);
    case PinAnswer::kill:
      return kill_consumer(*topic, trouble);
    case PinAnswer::wait:
    case PinAnswer::replace:  // was refused
      break;
  }
  if (pin.refused) return;  // which was said
  std::string why =
      fmt::format("pid {} holds records in place; of earlier rings consumers hold {}, and may {}",
                  trouble.pid, control::format_size(pin.retired_bytes),
                  control::format_size(retired_bytes_max(topic->settings)));
  for (const auto& [generation, pids] : holders) {
    why += fmt::format("; ring {}: pid {}", generation, fmt::join(pids, ", "));
  }
  say_once(*topic, "ring_not_replaced", why);
}

/// What it holds now it keeps until its next poll.
void TroubleResponse::take_in_place_reading(const Topic& topic, const Trouble& trouble) {
  layout::Attachment* const entry = sessions_.entry_of(trouble.handle);
  entry->flags.fetch_or(layout::kCopies, std::memory_order::relaxed);
  parts_.log.warning("consumer_copies", {{"topic", topic.row.name},
                                         {"partition", trouble.partition},
                                         {"pid", trouble.pid},
                                         {"effect", "from its next poll on it holds nothing"}});
}

void TroubleResponse::kill_consumer(const Topic& topic, const Trouble& trouble) {
  killed_.consumers += kill(topic, trouble,
                            {.killed = "pinning_consumer_killed",
                             .refused = "pinning_consumer_not_killed",
                             .held = "held_up_producers_ms",
                             .held_ms = topic.settings.pin_budget_ms});
}

void TroubleResponse::kill_producer(const Topic& topic, const Trouble& trouble) {
  killed_.producers += kill(topic, trouble,
                            {.killed = "stopped_producer_killed",
                             .refused = "stopped_producer_not_killed",
                             .held = "held_its_claim_ms",
                             .held_ms = topic.settings.stopped_after_ms});
}

/// False: it is waited for.
bool TroubleResponse::kill(const Topic& topic, const Trouble& trouble, const KillEvents& events) {
  if (!sessions_.kill_holder(trouble.handle)) {
    say_once(
        topic, events.refused,
        fmt::format("pid {} has ended, is the supervisor's own process, or may not be signalled: "
                    "to let the service end clients of other users, give its unit the drop-in "
                    "kill.conf of the examples",
                    trouble.pid));
    return false;
  }
  parts_.log.warning(events.killed, {{"topic", topic.row.name},
                                     {"partition", trouble.partition},
                                     {"pid", trouble.pid},
                                     {events.held, events.held_ms}});
  return true;
}

void TroubleResponse::say_once(const Topic& topic, EventName event, const std::string& why) {
  if (!said_.emplace(topic.row.generation, fmt::format("{} {}", topic.row.name, why)).second) {
    return;
  }
  parts_.log.warning(event, {{"topic", topic.row.name}, {"why", why}});
}

}  // namespace ringway::daemon
