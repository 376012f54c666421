#include "daemon/retention.hpp"

#include <sys/statvfs.h>

#include "log/retention.hpp"
#include "shm/clock.hpp"

namespace ringway::daemon {

void Retention::run(const TopicRegistry& registry) {
  log::RetentionFacts facts{.now_ns = shm::realtime_ns()};
  log::RetentionLimits limits;
  struct statvfs disk{};
  if (::statvfs(parts_.config.state_dir.c_str(), &disk) == 0) {
    facts.free_bytes = disk.f_bavail * disk.f_frsize;
    limits.free_bytes_min = parts_.config.keep_free.of(disk.f_blocks * disk.f_frsize);
  }
  for (const auto& [name, topic] : registry.all()) {
    if (!topic->served || topic->deleting || !topic->settings.persist) continue;
    limits.bytes = topic->settings.retention_bytes;
    limits.age_ns = static_cast<std::int64_t>(topic->settings.retention_age_ms) * 1'000'000;
    const bool disk_is_short = facts.free_bytes < limits.free_bytes_min;
    if (limits.bytes == 0 && limits.age_ns == 0 && !disk_is_short) continue;
    for (std::uint32_t p = 0; p < topic->settings.partitions; ++p) {
      const auto segments = topic->served->segments(p).snapshot();
      if (segments.size() < 2) continue;
      facts.protected_offset = topic->cursors.protected_offset(p);
      const auto decision = log::decide_retention(segments, limits, facts);
      if (decision.retire == 0) continue;
      for (std::size_t i = 0; i < decision.retire; ++i) facts.free_bytes += segments[i].file_bytes;
      parts_.log.info("segments_retired",
                      {{"topic", name},
                       {"partition", p},
                       {"segments", decision.retire},
                       {"first_offset", segments[decision.retire].first.offset}});
      parts_.flusher.retire(topic->served, p, decision.retire);
    }
  }
}

}  // namespace ringway::daemon
