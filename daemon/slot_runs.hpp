#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace ringway::daemon {

/// Which slots of a session chunk are taken. A handle takes a run of them, one per partition.
class SlotRuns {
 public:
  explicit SlotRuns(std::uint32_t slots) : taken_(slots, false) {}

  std::uint32_t slots() const noexcept { return static_cast<std::uint32_t>(taken_.size()); }
  bool empty() const noexcept { return std::ranges::find(taken_, true) == taken_.end(); }

  /// The first free run of that length.
  std::optional<std::uint32_t> take(std::uint32_t count) {
    std::uint32_t free = 0;
    for (std::uint32_t slot = 0; slot < slots(); ++slot) {
      free = taken_[slot] ? 0 : free + 1;
      if (free == count) {
        const std::uint32_t first = slot + 1 - count;
        mark(first, count, true);
        return first;
      }
    }
    return std::nullopt;
  }

  /// A certain run, as an earlier supervisor gave it away. False when it is not free or not there.
  bool take_at(std::uint32_t first, std::uint32_t count) {
    if (first > slots() || count > slots() - first) return false;
    const auto begin = taken_.begin() + first;
    if (std::find(begin, begin + count, true) != begin + count) return false;
    mark(first, count, true);
    return true;
  }

  /// So that only what was taken before is ever given away again.
  void take_rest() { std::fill(taken_.begin(), taken_.end(), true); }

  void give(std::uint32_t first, std::uint32_t count) { mark(first, count, false); }

 private:
  void mark(std::uint32_t first, std::uint32_t count, bool taken) {
    std::fill_n(taken_.begin() + first, count, taken);
  }

  std::vector<bool> taken_;
};

}  // namespace ringway::daemon
