#pragma once

// The board's list of what the log of a partition lacks (layout/board.hpp, daemon/gap_list.hpp).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "layout/board.hpp"
#include "ringway/level.hpp"

namespace ringway {

/// Offsets that the log lacks, or perhaps lacks.
struct LackedOffsets {
  std::uint64_t written;
  std::uint64_t durable;
  std::uint64_t to;
  bool oldest_known;  ///< there were earlier ones that the board does not tell any more
};

/// The first gap of the log that ends behind `offset`.
inline std::optional<LackedOffsets> log_gap_before(const layout::BoardPartition& board,
                                                   std::uint64_t offset) noexcept {
  std::uint32_t count = board.log_gaps.load(std::memory_order::relaxed);  // mostly all there is
  while (count != 0) [[unlikely]] {
    std::atomic_thread_fence(std::memory_order::acquire);
    // One place may be being written for the gap to come.
    const std::uint32_t known = std::min(count, layout::kLogGaps - 1);
    std::optional<LackedOffsets> found;
    for (std::uint32_t i = count - known; i != count && !found; ++i) {
      const layout::LogGap& gap = board.log_gap[i % layout::kLogGaps];
      const std::uint64_t to = gap.to.load(std::memory_order::acquire);
      if (offset >= to) continue;
      found = {gap.written.load(std::memory_order::acquire),
               gap.durable.load(std::memory_order::acquire), to,
               i == count - known && known != count};
    }
    // Relaxed: the acquires above order it.
    const std::uint32_t now = board.log_gaps.load(std::memory_order::relaxed);
    if (now == count) return found;
    count = now;
  }
  return std::nullopt;
}

/// Whether the record never reaches the level, whatever the watermark says. Once a watermark was
/// seen to pass the offset, the answer is final. Where the board has forgotten what became of it,
/// it counts as lost.
inline bool lost_to_log(const layout::BoardPartition& board, std::uint64_t offset,
                        Level level) noexcept {
  if (level == Level::committed) return false;
  const auto gap = log_gap_before(board, offset);
  if (!gap) return false;
  return gap->oldest_known || offset >= (level == Level::written ? gap->written : gap->durable);
}

}  // namespace ringway
