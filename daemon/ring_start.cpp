#include "daemon/ring_start.hpp"

#include <algorithm>

#include "layout/record.hpp"
#include "layout/ring.hpp"

namespace ringway::daemon {
namespace {

/// How far the log's end may lie behind what was visible when nobody syncs it.
constexpr std::uint64_t kUnsyncedJump = std::uint64_t{1} << 32;
/// More offsets than one ring generation of a topic without log can use up.
constexpr std::uint64_t kMemoryStride = std::uint64_t{1} << 40;

}  // namespace

log::LogPoint ring_start(const TopicSettings& settings, const PartitionRow& row,
                         const std::optional<log::LogPoint>& log_floor) noexcept {
  if (!settings.persist) {
    const std::uint64_t offset = row.clean ? std::max(row.clean_offset, row.base_offset)
                                           : (row.base_offset / kMemoryStride + 1) * kMemoryStride;
    return {.position = 0, .offset = offset};
  }
  // The log may end before its ring began (nothing was written yet), or be gone.
  log::LogPoint end{row.base_position, row.base_offset};
  if (log_floor) {
    end.position = std::max(end.position, log_floor->position);
    end.offset = std::max(end.offset, log_floor->offset);
  }
  if (row.clean) {
    return {layout::round_up_to_page(std::max(end.position, row.clean_position)),
            std::max(end.offset, row.clean_offset)};
  }
  if (settings.when_disk_fails == WhenDiskFails::memory) {
    // The ring may have run ahead of its log by as much as it has positions; its successor comes
    // only when all of it that is to be in the log is.
    const layout::TailCodec codec(settings.ring_bytes);
    end.offset = std::max(end.offset, row.base_offset + codec.offsets_end());
  }
  const std::uint64_t unsynced = settings.sync == SyncPolicy::never ? kUnsyncedJump : 0;
  return {layout::round_up_to_page(end.position + settings.ring_bytes + unsynced),
          end.offset + settings.ring_bytes / layout::kUnitBytes + 1 + unsynced};
}

}  // namespace ringway::daemon
