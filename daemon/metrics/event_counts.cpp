#include "daemon/metrics/event_counts.hpp"

#include <algorithm>

namespace ringway::daemon::metrics {
namespace {

/// There from the beginning, so that the first is seen to come. Others appear when they do.
constexpr std::string_view kKnown[] = {
    "accept_paused",         "claim_repaired",
    "claim_voided",          "consumer_copies",
    "cursor_not_saved",      "hostile_intent",
    "hostile_pin",           "housekeeping_failed",
    "keeper_died",           "log_gap",
    "log_healed",            "log_suspended",
    "log_without_topic",     "log_write_failed",
    "log_write_refused",     "pinning_consumer_killed",
    "quarantined",           "request_failed",
    "retention_held",        "ring_was_lost",
    "ring_without_topic",    "segment_damaged",
    "segment_missing",       "stopped_producer_killed",
    "thread_stands_still",   "topic_not_served",
    "torn_tail_cut",         "work_failed"};
constexpr std::string_view kReasons[] = {"altered", "stopped_claim", "long_pin", "worn_out",
                                         "interrupted"};

}  // namespace

EventCounts::EventCounts() {
  for (const std::string_view name : kKnown) counts_.events.emplace(name, 0);
  for (const std::string_view reason : kReasons) counts_.rings_replaced.emplace(reason, 0);
}

void EventCounts::count(const Event& event) {
  const auto one_more = [](auto& counts, std::string_view name) {
    const auto found = counts.find(name);
    if (found != counts.end()) {
      ++found->second;
    } else {
      counts.emplace(name, 1);
    }
  };
  const std::lock_guard lock(mutex_);
  one_more(counts_.events, event.name);
  if (event.name != "ring_replaced") return;
  const auto reason = std::ranges::find(event.fields, "reason", &LogField::key);
  if (reason != event.fields.end()) one_more(counts_.rings_replaced, reason->value);
}

EventCounts::Counts EventCounts::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace ringway::daemon::metrics
