#pragma once

#include <atomic>
#include <cstdint>

#include "layout/bell.hpp"
#include "layout/board.hpp"
#include "shm/park.hpp"

namespace ringway::daemon {

/// Wakes who sleeps on a word of BoardPartition::told and has a bit of `bits`, as they are in
/// BellPartition::told_waiters. Behind a full fence behind what they wait for.
inline void wake_told(layout::BoardPartition& board, layout::BellPartition& bell,
                      std::uint32_t bits) noexcept {
  // Relaxed: a told word carries the order. Who raises its bit again has seen that move, or sleeps.
  const std::uint32_t woken = bell.told_waiters.fetch_and(~bits, std::memory_order::relaxed) & bits;
  for (std::uint32_t w = 0; w < layout::kToldWords; ++w) {
    if (((woken | woken >> layout::kToldWords) >> w & 1) == 0) continue;
    board.told[w].fetch_add(1, std::memory_order::release);  // PROGRESS
    shm::wake_all(board.told[w]);
  }
}

}  // namespace ringway::daemon
