#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "ringway/level.hpp"

namespace ringway {

/// What had reached the levels in the rings of a partition that a handle has left. The watermarks
/// of the present ring say nothing of them: it may have begun behind offsets that were lost with
/// their ring.
class FormerRings {
 public:
  /// Exclusive offsets, by Level.
  using Reached = std::array<std::uint64_t, 3>;

  /// The handle went from a ring to its successor, which begins at `next`.
  void left(const Reached& reached, std::uint64_t next) {
    const bool lossless = std::ranges::all_of(reached, [&](auto level) { return level >= next; });
    if (!lossless) losses_.push_back({next, reached});
  }

  /// Whether the level was reached there; nothing when the present ring's watermark tells.
  std::optional<bool> reached(std::uint64_t offset, Level level) const noexcept {
    for (const Loss& loss : losses_) {
      if (offset < loss.next) return offset < loss.reached[static_cast<std::size_t>(level)];
    }
    return std::nullopt;
  }

 private:
  struct Loss {
    std::uint64_t next;  ///< where offsets went on
    Reached reached;
  };
  std::vector<Loss> losses_;  // in order of offsets; rings that lost nothing are left out
};

}  // namespace ringway
