#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace ringway::daemon {

/// Every event of the log. Names stay: people filter by them, alerts count them, and README.md says
/// what they mean (a test compares).
inline constexpr auto kEvents = std::to_array<std::string_view>({
    // The process and its configuration.
    "starting", "serving", "serving_metrics", "stopping", "stopped", "left", "stop_not_clean",
    "config_read", "config_changed", "config_refused", "variable_ignored", "not_the_service",
    "metrics_not_served", "io_uring_refused", "thread_stands_still", "housekeeping_failed",
    "work_failed", "request_failed", "accept_paused", "accept_resumed",
    // What is kept for the next one, and what that makes of it.
    "keeper_died", "keeper_replaced", "keeper_not_replaced", "keeper_stands_still",
    "keeper_answers", "kept_memory_dropped", "ring_adopted", "ring_was_lost",
    "ring_without_topic", "handle_not_adopted", "cursor_not_adopted", "bell_lost", "not_drained",
    // Topics and who may do what.
    "topic_created", "topic_deleted", "topic_deletion_waits", "topic_not_served",
    "files_not_removed", "retention_altered", "access_granted", "access_revoked", "account_unknown",
    "cursor_not_saved",
    // Another ring under traffic.
    "ring_replaced", "ring_not_replaced", "ring_replacement_waits", "ring_not_carried_over",
    "claim_voided",
    // The log.
    "log_write_refused", "log_write_failed", "log_suspended", "log_healed", "log_gap",
    "log_shorter_than_ring", "log_trimmed", "log_without_topic", "torn_tail_cut", "segment_damaged",
    "segment_missing", "segment_not_removed", "segments_retired", "retention_held",
    // What clients do, and what is done about them.
    "claim_repaired", "hostile_intent", "hostile_pin", "quarantined", "consumer_copies",
    "stopped_producer_killed", "stopped_producer_not_killed", "pinning_consumer_killed",
    "pinning_consumer_not_killed",
});

/// Of level debug: not counted.
inline constexpr auto kDebugEvents =
    std::to_array<std::string_view>({"client_died", "client_disconnected"});

constexpr bool is_event(std::string_view name) noexcept {
  return std::ranges::find(kEvents, name) != kEvents.end() ||
         std::ranges::find(kDebugEvents, name) != kDebugEvents.end();
}

/// One of these names; another does not compile.
class EventName {
 public:
  consteval EventName(const char* name) : text_(name) {
    if (!is_event(name)) throw "this event is in none of the lists";
  }

  constexpr operator std::string_view() const noexcept { return text_; }

 private:
  std::string_view text_;
};

}  // namespace ringway::daemon
