#pragma once

#include <cstdint>

#include "client/boundary_table.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway {

/// Finds the committed watermark by itself, so that it is exact and also moves while the supervisor
/// is dead: walks the stamps on from where it was, or from the board's table. Without a pin: what
/// it saw counts only if it was still in the ring afterwards. One handle's; one thread at a time.
template <class View>
class CommittedWalk {
 public:
  explicit CommittedWalk(const View& view) noexcept : view_(view) {}

  /// The first offset that is not committed: at least the board's.
  std::uint64_t offset() noexcept {
    const auto& board = view_.board();
    const std::uint64_t published = board.committed_offset.load(std::memory_order::acquire);
    return std::max(published, place().offset);
  }

  /// The place of that offset; behind the true one when the ring turns faster than this can walk.
  ring::Place place() noexcept {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (!known_ || far_behind()) start();
      const std::uint64_t from = place_.position;
      const std::uint64_t announced = view_.announced().load(std::memory_order::acquire);
      ring::Place to = place_;
      static_cast<void>(
          ring::walk(view_, to, announced, [](const ring::Place&, const layout::RecordHeader&) {}));
      const std::uint64_t end = ring::ring_end(view_);
      if (to.position > end) to = {end, view_.end_offset().load(std::memory_order::relaxed)};
      // The read side of a sequence lock, as in ring::Reader::still_there().
      std::atomic_thread_fence(std::memory_order::acquire);
      known_ = in_window(view_, from);
      if (known_) {
        place_ = to;
        break;
      }
    }
    return place_;
  }

 private:
  static constexpr int kAttempts = 4;

  bool far_behind() const noexcept {
    // Relaxed: a shortcut; the table's own loads acquire.
    return view_.board().committed_position.load(std::memory_order::relaxed) >
           place_.position + ring::ring_segment_bytes(view_.ring_bytes());
  }
  void start() noexcept {
    const auto found = latest_boundary(view_, [](const ring::Place&) { return true; });
    // Never backwards: a committed offset stays committed.
    if (found && (!known_ || found->position > place_.position)) place_ = *found;
  }

  View view_;
  ring::Place place_{0, 0};
  bool known_ = false;
};

}  // namespace ringway
