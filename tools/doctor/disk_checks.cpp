#include <fmt/format.h>

#include <algorithm>

#include "control/disk_room.hpp"
#include "control/shell_word.hpp"
#include "tools/doctor/checks.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

constexpr std::chrono::milliseconds kSlow{20};
constexpr std::uint64_t kRingMax = 4ULL << 30;

std::string rounded(std::chrono::nanoseconds time) {
  const double us = std::chrono::duration<double, std::micro>(time).count();
  return us < 1000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
}

/// The ring that is full first while the disk is slow, made larger.
std::string larger_ring(const Facts& facts) {
  const TopicRoom* least = nullptr;
  for (const TopicRoom& topic : facts.topics) {
    if (!topic.on_disk || topic.ring_bytes == 0 || topic.ring_bytes > kRingMax / 4) continue;
    if (least == nullptr || topic.ring_bytes < least->ring_bytes) least = &topic;
  }
  if (least == nullptr) {
    return fmt::format("findmnt -T {}  # state_dir on a faster disk helps",
                       control::shell_quoted(facts.state_dir));
  }
  return least->with_rings_of(least->ring_bytes * 4) +
         "  # and others whose rings fill; helps all: state_dir on a faster disk";
}

}  // namespace

Findings check_disk_room(const Facts& facts) {
  if (!facts.disk) {
    return not_checked("disk_room", facts.state_dir.empty()
                                        ? "nobody says where the state directory is: --state-dir"
                                        : facts.state_dir + " cannot be looked at");
  }
  const std::string what =
      fmt::format("{} free of {} at {}", format_size(facts.disk->free >> 20 << 20),
                  format_size(facts.disk->total >> 20 << 20), facts.state_dir);
  if (facts.disk->free < control::kDiskFreeMin) {
    return {{Severity::error, "disk_room", what, "producers of persisted topics wait",
             facts.make_room()}};
  }
  const std::uint64_t keep_free = facts.kept_free();
  const std::string kept = facts.keep_free
                               ? format_size(keep_free >> 20 << 20)
                               : fmt::format("{} %, where nothing else is configured",
                                             control::kKeepFreePercent);
  if (facts.disk->free < keep_free) {
    return {{Severity::warning, "disk_room", what,
             fmt::format("below disk.keep_free ({}) the oldest segments go, whatever retention "
                         "says",
                         kept),
             facts.make_room()}};
  }
  if (!facts.keep_free) {
    return not_checked("disk_room", fmt::format("{}, but no supervisor says what disk.keep_free is "
                                                "there ({})",
                                                what, kept));
  }
  return well("disk_room", fmt::format("{}, where {} stay free (disk.keep_free)", what, kept));
}

Findings check_sync_time(const Facts& facts) {
  const SyncTimes& sync = facts.sync;
  if (sync.times.empty()) return not_checked("sync_time", sync.why_not);
  const auto median = sync.times[sync.times.size() / 2];
  const std::string what =
      fmt::format("4 KiB durable in {} (median), {} (worst of {}) at {}", rounded(median),
                  rounded(sync.times.back()), sync.times.size(), facts.state_dir);
  if (sync.in_memory) {
    return {{Severity::warning, "sync_time", facts.state_dir + " is in memory (tmpfs)",
             "what is called durable is gone after a reboot",
             fmt::format("findmnt -T {}  # mount a disk there, or name a directory on one by "
                         "state_dir",
                         control::shell_quoted(facts.state_dir))}};
  }
  if (median < kSlow) return well("sync_time", what);
  return {{Severity::warning, "sync_time", what,
           "who waits for durable waits so long, and the ring must hold all that comes meanwhile",
           larger_ring(facts)}};
}

}  // namespace ringway::cli::doctor
