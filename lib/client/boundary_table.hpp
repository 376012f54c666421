#pragma once

// The board's table of true boundaries (layout/board.hpp): how a reader gets into the ring in the
// middle of the stream. Entries are published before `committed` passes them and are written again
// four laps later: marked, then the offset, then the position (daemon/commit_follower.hpp).

#include <cstdint>
#include <optional>

#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway {

/// Whether everything from `position` on still lies in the ring, as far as announced.
template <class View>
bool in_window(const View& view, std::uint64_t position) noexcept {
  return position + view.ring_bytes() >=
         view.announced().load(std::memory_order::acquire);  // ANNOUNCE
}

/// The latest boundary in the ring that `accept(place)` takes, looking from new to old; nothing
/// when none is left in the ring. Only a pin taken on it afterwards makes it certain.
template <class View, class Accept>
std::optional<ring::Place> latest_boundary(const View& view, Accept&& accept) noexcept {
  const auto& board = view.board();
  const std::uint64_t segment_bytes = ring::ring_segment_bytes(view.ring_bytes());
  const std::uint64_t committed = board.committed_position.load(std::memory_order::acquire);
  for (std::uint64_t segment = committed / segment_bytes;; --segment) {
    const std::uint64_t start = segment * segment_bytes;
    const auto& entry = board.boundary[segment % layout::kNonces];
    ring::Place place{entry.position.load(std::memory_order::acquire),
                      entry.offset.load(std::memory_order::acquire)};
    // Position 0 needs no entry.
    if (segment == 0) place = {0, board.base_offset.load(std::memory_order::relaxed)};
    // An entry that is written anew shows the mark, or a place four laps ahead: relaxed, since the
    // offset's acquire orders it.
    const bool whole =
        segment == 0 || entry.position.load(std::memory_order::relaxed) == place.position;
    // The first boundary behind a long record may lie in a later segment, or not be there yet.
    if (whole && place.position >= start && place.position <= committed) {
      if (!in_window(view, place.position)) return {};
      if (accept(place)) return place;
    }
    if (segment == 0 || !in_window(view, start + view.ring_bytes() / 2)) return {};
  }
}

/// The oldest boundary in the ring.
template <class View>
std::optional<ring::Place> oldest_boundary(const View& view) noexcept {
  std::optional<ring::Place> oldest;
  static_cast<void>(latest_boundary(view, [&](const ring::Place& place) {
    oldest = place;
    return false;
  }));
  return oldest;
}

}  // namespace ringway
