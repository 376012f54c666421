#include "daemon/retention.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "shm/clock.hpp"

namespace ringway::daemon {
namespace {

using control::StatusTrouble;

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
  std::vector<StatusTrouble> held;
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
      retired = true;
      for (std::size_t i = 0; i < decision.retire; ++i) facts.free_bytes += segments[i].file_bytes;
      const std::uint64_t first_kept = segments[decision.retire].first.offset;
      for (const log::Limit limit : log::kLimits) {
        const std::size_t count = decision.by[static_cast<std::size_t>(limit)];
        if (count == 0) continue;
        retired_[static_cast<std::size_t>(limit)] += count;
        // What goes for want of room, no setting of the topic asked for.
        const LogField fields[] = {{"topic", name},
                                   {"partition", p},
                                   {"segments", count},
                                   {"reason", to_string(limit)},
                                   {"first_offset", first_kept}};
        parts_.log.write(limit == log::Limit::disk ? Severity::warning : Severity::info,
                         "segments_retired", fields);
      }
      parts_.flusher.retire(topic->served, p, first_kept);
    }
  }
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

}  // namespace ringway::daemon
