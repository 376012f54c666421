#pragma once

#include <cstdint>
#include <vector>

#include "daemon/partition_handles.hpp"
#include "layout/board.hpp"
#include "ring/scan.hpp"
#include "shm/clock.hpp"

namespace ringway::daemon {

/// The holes that dead producers left, as a partition's board shows them. The flusher's thread.
class HoleList {
 public:
  explicit HoleList(layout::BoardPartition& board) noexcept : board_(board) {}

  void add(const PartitionHandles::Settled& settled) {
    const std::uint64_t index = board_.repairs.load(std::memory_order::relaxed);  // own
    layout::Hole& hole = board_.hole[index % layout::kHoles];
    // Relaxed: for people, published by `repairs`.
    hole.position.store(settled.hole->position, std::memory_order::relaxed);
    hole.bytes.store(settled.hole->bytes, std::memory_order::relaxed);
    hole.offset.store(layout::kNoOffset, std::memory_order::relaxed);
    hole.offsets.store(settled.hole->offsets, std::memory_order::relaxed);
    hole.pid.store(settled.pid, std::memory_order::relaxed);
    hole.repaired_at_ns.store(static_cast<std::uint64_t>(shm::realtime_ns()),
                              std::memory_order::relaxed);
    board_.repairs.store(index + 1, std::memory_order::release);
    unplaced_.push_back(&hole);
  }

  /// Of all of them the offset is known.
  bool placed() const noexcept { return unplaced_.empty(); }

  /// A claim's offset is known only when everything before it is settled: called for each place
  /// that is followed. One that was passed without meeting it was none, and has no offset.
  void place(const ring::Place& place) noexcept {
    if (unplaced_.empty()) return;
    std::erase_if(unplaced_, [&](layout::Hole* hole) {
      const std::uint64_t position = hole->position.load(std::memory_order::relaxed);  // own
      if (position == place.position) {
        hole->offset.store(place.offset, std::memory_order::relaxed);  // for people
      }
      return position <= place.position;
    });
  }

 private:
  layout::BoardPartition& board_;
  std::vector<layout::Hole*> unplaced_;  // on the board, without their offset yet
};

}  // namespace ringway::daemon
