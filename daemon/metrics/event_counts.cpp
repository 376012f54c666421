#include "daemon/metrics/event_counts.hpp"

#include <algorithm>

namespace ringway::daemon::metrics {
namespace {

constexpr std::string_view kReasons[] = {"altered", "stopped_claim", "long_pin", "worn_out",
                                         "interrupted"};

}  // namespace

/// All are there from the beginning, so that the first is seen to come.
EventCounts::EventCounts() {
  for (const std::string_view name : kEvents) counts_.events.emplace(name, 0);
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
