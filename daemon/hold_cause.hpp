#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <optional>

#include "layout/board.hpp"

namespace ringway::daemon {

/// Why a partition does not move, and by whom: however many of a topic it holds, one trouble.
struct HoldCause {
  layout::Hold hold;
  std::uint32_t pid;

  auto operator<=>(const HoldCause&) const = default;
};

/// None where nothing needs attention. Any thread.
inline std::optional<HoldCause> hold_cause(const layout::BoardPartition& board) noexcept {
  // Relaxed: numbers for people, each true for itself.
  const auto hold = static_cast<layout::Hold>(board.hold.load(std::memory_order::relaxed));
  if (!layout::needs_attention(hold)) return std::nullopt;
  return HoldCause{hold, board.hold_pid.load(std::memory_order::relaxed)};
}

}  // namespace ringway::daemon
