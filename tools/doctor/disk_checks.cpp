#include <fmt/format.h>

#include "tools/doctor/checks.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

constexpr std::uint64_t kNeeded = 512 << 10;  // below it no topic can be made again
constexpr std::chrono::milliseconds kSlow{20};
const std::string kMakeRoom =
    "ringway topic alter TOPIC --retention-bytes 1GiB  # or make room at ";

std::string rounded(std::chrono::nanoseconds time) {
  const double us = std::chrono::duration<double, std::micro>(time).count();
  return us < 1000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
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
  if (facts.disk->free < kNeeded) {
    return {{Severity::error, "disk_room", what, "producers of persisted topics wait",
             kMakeRoom + facts.state_dir}};
  }
  const std::uint64_t keep_free = facts.keep_free.value_or(facts.disk->total / 20);
  const std::string kept =
      facts.keep_free ? format_size(keep_free >> 20 << 20) : "5 %, where nothing else is configured";
  if (facts.disk->free < keep_free) {
    return {{Severity::warning, "disk_room", what,
             fmt::format("below disk.keep_free ({}) the oldest segments go, whatever retention says",
                         kept),
             kMakeRoom + facts.state_dir}};
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
             "ringwayd --state-dir /var/lib/ringway  # or state_dir in ringwayd.toml: on a disk"}};
  }
  if (median < kSlow) return well("sync_time", what);
  return {{Severity::warning, "sync_time", what,
           "who waits for durable waits so long, and the ring must hold all that comes meanwhile",
           "ringway topic alter TOPIC --ring 256MiB  # helps all: state_dir on a faster disk"}};
}

}  // namespace ringway::cli::doctor
