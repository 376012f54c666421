#include "daemon/retention.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "shm/clock.hpp"

namespace ringway::daemon {
namespace {

using control::StatusTrouble;
using Clock = std::chrono::steady_clock;

/// A file that could not be removed is tried again after this.
constexpr std::chrono::seconds kRetryAfter{5};

StatusTrouble not_removed(const ServedTopic& topic, std::uint32_t partition,
                          const SegmentRemoval& removal) {
  const std::string why = std::generic_category().message(-removal.error);
  return {.what = control::TroubleKind::segment_not_removed,
          .topic = topic.name(),
          .partitions = {partition},
          .partition_count = 1,
          .path = removal.path,
          .reason = why,
          .text = fmt::format("topic '{}' partition {}: retention cannot remove {}, and keeps what "
                              "is behind it: {}; make it removable",
                              topic.name(), partition, removal.path, why)};
}

StatusTrouble held_by_cursor(const std::string& topic, std::uint32_t partition,
                             std::string_view cursor) {
  return {.what = control::TroubleKind::retention_held,
          .topic = topic,
          .partitions = {partition},
          .partition_count = 1,
          .reason = fmt::format("cursor '{}' protects what is old", cursor),
          .text = fmt::format(
              "topic '{}' partition {}: the disk is short, and cursor '{}' protects what is old",
              topic, partition, cursor)};
}

}  // namespace

void Retention::run(const TopicRegistry& registry) {
  log::RetentionFacts facts{.now_ns = shm::realtime_ns()};
  log::RetentionLimits limits;
  struct statvfs disk{};
  if (::statvfs(parts_.config.state_dir.c_str(), &disk) == 0) {
    facts.free_bytes = disk.f_bavail * disk.f_frsize;
    limits.free_bytes_min = parts_.config.keep_free.of(disk.f_blocks * disk.f_frsize);
  }
  const auto disk_is_short = [&] { return facts.free_bytes < limits.free_bytes_min; };
  const Clock::time_point now = Clock::now();
  std::vector<StatusTrouble> held;
  std::map<Place, Refused> refused;
  bool retired = false;
  bool any = false;
  for (const auto& [name, topic] : registry.all()) {
    if (!topic->served || topic->deleting || !topic->settings.persist) continue;
    // The flusher has let go of it, and the next ring waits for the disk: nobody would remove them.
    if (topic->replacement && topic->replacement->old_is_free) continue;
    limits.bytes = topic->settings.retention_bytes;
    limits.age_ns = static_cast<std::int64_t>(topic->settings.retention_age_ms) * 1'000'000;
    if (limits.bytes == 0 && limits.age_ns == 0 && !disk_is_short()) continue;
    for (std::uint32_t p = 0; p < topic->settings.partitions; ++p) {
      const auto segments = topic->served->segments(p).snapshot();
      any = any || !segments.empty();
      if (segments.size() < 2) continue;
      const NamedCursors::Protection protection = topic->cursors.protection(p);
      facts.protected_offset = protection.offset;
      const auto decision = log::decide_retention(segments, limits, facts);
      if (decision.next == log::Keeps::cursor && disk_is_short()) {
        held.push_back(held_by_cursor(name, p, protection.cursor));
      }
      if (decision.retire == 0) continue;
      if (auto known = refused_.extract({topic->row.uuid, p})) {
        // Nothing counts on what was refused.
        const bool tries_again = now >= known.mapped().retry_at;
        if (tries_again) known.mapped().retry_at = now + kRetryAfter;
        refused.insert(std::move(known));
        if (!tries_again) continue;
      } else {
        retired = true;
        for (std::size_t i = 0; i < decision.retire; ++i) {
          facts.free_bytes += segments[i].file_bytes;
        }
      }
      retire(*topic, p, decision.by, segments[decision.retire].first.offset);
    }
  }
  refused_ = std::move(refused);  // what need not go any more is no trouble
  if (disk_is_short() && any && !retired) {
    held.insert(held.begin(),
                {.what = control::TroubleKind::disk_short,
                 .text = "less than disk.keep_free is free for the log, and nothing more can "
                         "be removed: make room, or lower that setting"});
  }
  std::set<std::string_view> known;
  for (const StatusTrouble& one : held_) known.insert(one.text);
  for (const StatusTrouble& one : held) {
    if (!known.contains(one.text)) parts_.log.warning("retention_held", {{"why", one.text}});
  }
  held_ = std::move(held);
}

void Retention::retire(const Topic& topic, std::uint32_t partition, const log::RetiredBy& by,
                       std::uint64_t first_kept) {
  parts_.flusher.retire(
      topic.served, partition, first_kept,
      [this, post = parts_.post, served = topic.served, partition, by](SegmentRemoval removal) {
        post([this, served, partition, by, removal = std::move(removal)] {
          settle(*served, partition, by, removal);
        });
      });
}

/// Of what was to go by each limit, in their order, some has gone.
void Retention::settle(const ServedTopic& topic, std::uint32_t partition, const log::RetiredBy& by,
                       const SegmentRemoval& removal) {
  std::size_t left = removal.segments;
  for (const log::Limit limit : log::kLimits) {
    const std::size_t count = std::min(by[static_cast<std::size_t>(limit)], left);
    if (count == 0) continue;
    left -= count;
    retired_[static_cast<std::size_t>(limit)] += count;
    const auto& first_offset = topic.view(partition).board().first_offset;
    // What goes for want of room, no setting of the topic asked for.
    const LogField fields[] = {{"topic", topic.name()},
                               {"partition", partition},
                               {"segments", count},
                               {"reason", to_string(limit)},
                               {"first_offset", first_offset.load(std::memory_order::acquire)}};
    parts_.log.write(limit == log::Limit::disk ? Severity::warning : Severity::info,
                     "segments_retired", fields);
  }
  const Place place{topic.uuid(), partition};
  if (removal.error == 0) {
    refused_.erase(place);
    return;
  }
  Refused refused{removal.error, not_removed(topic, partition, removal),
                  Clock::now() + kRetryAfter};
  const auto known = refused_.find(place);
  if (known == refused_.end() || known->second.error != removal.error ||
      known->second.trouble.path != removal.path) {
    parts_.log.warning("segment_not_removed", {{"topic", topic.name()},
                                               {"partition", partition},
                                               {"error", refused.trouble.reason},
                                               {"path", removal.path}});
  }
  refused_.insert_or_assign(place, std::move(refused));
}

std::vector<StatusTrouble> Retention::troubles() const {
  std::vector<StatusTrouble> all = held_;
  std::ranges::transform(refused_, std::back_inserter(all),
                         [](const auto& one) { return one.second.trouble; });
  return all;
}

}  // namespace ringway::daemon
