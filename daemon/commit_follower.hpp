#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "layout/board.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway::daemon {

/// The position of an entry of the boundary table that is being written.
inline constexpr std::uint64_t kBoundaryMark = ~std::uint64_t{0};

/// Into an entry of the table that clients read at any moment (client/boundary_table.hpp).
template <class Boundary>
void store_boundary(Boundary& entry, const ring::Place& place) noexcept {
  // Release, in this order, also for kill -9: an entry is whole or marked.
  entry.position.store(kBoundaryMark, std::memory_order::release);
  std::atomic_signal_fence(std::memory_order::seq_cst);
  entry.offset.store(place.offset, std::memory_order::release);
  std::atomic_signal_fence(std::memory_order::seq_cst);
  entry.position.store(place.position, std::memory_order::release);
}

/// The first boundary at or behind `from` that the board knows; `committed` where there is none
/// before it. By the thread that writes the table, or behind the death of who did.
inline ring::Place first_boundary(const layout::BoardPartition& board, std::uint64_t from,
                                  ring::Place committed) noexcept {
  ring::Place first = committed;
  for (const layout::Boundary& entry : board.boundary) {
    const std::uint64_t position = entry.position.load(std::memory_order::relaxed);
    if (position >= from && position < first.position) {
      first = {position, entry.offset.load(std::memory_order::relaxed)};
    }
  }
  return first;
}

/// Follows the stamps of one partition and publishes what everybody may rely on: the `committed`
/// watermark, and the boundary table by which readers find an offset in the ring. Supervisor only,
/// the flusher's thread. A crash leaves at worst one boundary entry marked as being written.
class CommitFollower {
 public:
  /// `start` is a true boundary at or above everything that may be reused already.
  CommitFollower(ring::PartitionView view, ring::Place start) noexcept
      : view_(view),
        place_(start),
        next_segment_(start.position == 0 ? 0 : start.position / segment_bytes() + 1),
        jumped_to_(start),
        unlooked_(start) {}

  /// For a supervisor that adopts a ring without a log: its predecessor may have jumped over
  /// anything.
  static CommitFollower adopting(const ring::PartitionView& view) noexcept {
    CommitFollower follower(view, last_boundary(view));
    follower.unlooked_ = first_boundary(view.board(), follower.oldest(), follower.place_);
    return follower;
  }

  /// The newest true boundary that the board knows, for a supervisor that adopts a ring whose log
  /// does not say: the last entry of the table that was written whole and is still in the ring.
  static ring::Place last_boundary(const ring::PartitionView& view) noexcept {
    const layout::BoardPartition& board = view.board();
    // Relaxed throughout: the only writer was the supervisor before this one, which is dead.
    ring::Place best{0, board.base_offset.load(std::memory_order::relaxed)};
    const std::uint64_t tail =
        view.codec().unpack(view.tail().load(std::memory_order::acquire)).position;
    for (const layout::Boundary& entry : board.boundary) {
      const std::uint64_t position = entry.position.load(std::memory_order::relaxed);
      if (position != kBoundaryMark && position <= tail && position > best.position) {
        best = {position, entry.offset.load(std::memory_order::relaxed)};
      }
    }
    return best;
  }

  /// Moves over what is settled, at most about `bytes_max`; `visit(place, header)` sees each record
  /// and skip first. Returns why it stopped: nothing (caught up, or enough) or corrupt.
  template <class Visit>
  ring::Found follow(std::uint64_t bytes_max, Visit&& visit) noexcept {
    // Relaxed: only this thread writes it.
    const std::uint64_t announced = view_.announced().load(std::memory_order::relaxed);
    const std::uint64_t before = place_.position;
    const std::uint64_t end = std::min(announced, before + bytes_max);
    const ring::Found found = ring::walk(
        view_, place_, end, [&](const ring::Place& place, const layout::RecordHeader& header) {
          note_boundary(place);
          visit(place, header);
        });
    if (place_.position != before) publish();
    return found;
  }

  /// Moves to `place`, below which everything is settled, without a look at what lies between: of
  /// ring segments that begin there the table knows no boundary before it.
  void jump(const ring::Place& place) noexcept {
    if (looked_at_all()) unlooked_ = place_;
    place_ = jumped_to_ = place;
    publish();
  }

  /// Looks at what was jumped over and is still in the ring, at most about `bytes_max` of it.
  /// False: at unlooked() stands something that no honest producer leaves there.
  bool look_back(std::uint64_t bytes_max) noexcept {
    if (looked_at_all()) return true;
    if (unlooked_.position < oldest()) {
      unlooked_ = first_boundary(view_.board(), oldest(), jumped_to_);
    }
    const std::uint64_t end = std::min(jumped_to_.position, unlooked_.position + bytes_max);
    if (ring::walk(view_, unlooked_, end, [](auto&&...) {}) != ring::Found::nothing) return false;
    return looked_at_all() ? unlooked_ == jumped_to_ : unlooked_.position >= end;
  }
  bool looked_at_all() const noexcept { return unlooked_.position >= jumped_to_.position; }
  ring::Place unlooked() const noexcept { return unlooked_; }

  ring::Place committed() const noexcept { return place_; }

 private:
  std::uint64_t segment_bytes() const noexcept {
    return ring::ring_segment_bytes(view_.ring_bytes());
  }

  /// From here on nothing was overwritten, pinned or not: no claim goes beyond limit. Its stamps
  /// hold as long: a nonce is drawn again four laps later.
  std::uint64_t oldest() const noexcept {
    return view_.limit().load(std::memory_order::relaxed) - view_.ring_bytes();  // own
  }

  /// `place` is the first boundary at or behind the start of every segment up to its own that has
  /// none yet.
  void note_boundary(const ring::Place& place) noexcept {
    if (place.position < next_segment_ * segment_bytes()) return;
    const std::uint64_t last = place.position / segment_bytes();
    for (; next_segment_ <= last; ++next_segment_) {
      store_boundary(view_.board().boundary[next_segment_ % layout::kNonces], place);
    }
  }

  void publish() noexcept {
    // Behind a long record, too, before another jump goes on from here.
    note_boundary(place_);
    layout::BoardPartition& board = view_.board();
    // A watermark is never taken back, also not by a supervisor that follows again from further
    // back.
    if (place_.offset <= board.committed_offset.load(std::memory_order::relaxed)) return;
    board.committed_position.store(place_.position, std::memory_order::release);
    board.committed_offset.store(place_.offset, std::memory_order::release);  // COMMITTED
  }

  ring::PartitionView view_;
  ring::Place place_;
  std::uint64_t next_segment_;  // first ring segment without a boundary yet
  ring::Place jumped_to_;
  ring::Place unlooked_;  // from here to `jumped_to_` only the slots were asked
};

}  // namespace ringway::daemon
