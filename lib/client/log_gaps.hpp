#pragma once

// The board's list of what the log of a partition lacks (layout/board.hpp, daemon/gap_list.hpp).
//
//   GAP    count (release)        -> count (acquire)      the entries that it counts
//   TORN   entry (release)        -> entry (acquire)      the count before it: who reads what is
//                                                         written anew finds another one behind it
//   WRITTEN, DURABLE   watermark (release) -> watermark (acquire)   the gaps in front of it

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
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
template <class Board>
std::optional<LackedOffsets> log_gap_before(const Board& board, std::uint64_t offset) noexcept {
  const auto places = static_cast<std::uint32_t>(std::size(board.log_gap));
  std::uint32_t count = board.log_gaps.load(std::memory_order::acquire);  // GAP
  while (count != 0) [[unlikely]] {
    // One place may be being written for the gap to come.
    const std::uint32_t known = std::min(count, places - 1);
    std::optional<LackedOffsets> found;
    for (std::uint32_t i = count - known; i != count && !found; ++i) {
      const auto& gap = board.log_gap[i % places];
      const std::uint64_t to = gap.to.load(std::memory_order::acquire);  // TORN
      if (offset >= to) continue;
      found = {gap.written.load(std::memory_order::acquire),
               gap.durable.load(std::memory_order::acquire), to,
               i == count - known && known != count};
    }
    const std::uint32_t now = board.log_gaps.load(std::memory_order::acquire);  // GAP, TORN
    if (now == count) return found;
    count = now;
  }
  return std::nullopt;
}

/// Whether the record never reaches the level, whatever the watermark says. Once a watermark was
/// seen to pass the offset, the answer is final. Where the board has forgotten what became of it,
/// it counts as lost.
template <class Board>
bool lost_to_log(const Board& board, std::uint64_t offset, Level level) noexcept {
  if (level == Level::committed) return false;
  const auto gap = log_gap_before(board, offset);
  if (!gap) return false;
  return gap->oldest_known || offset >= (level == Level::written ? gap->written : gap->durable);
}

}  // namespace ringway
