#pragma once

// Hands read space back to producers. Supervisor only, one thread per partition.
//
// Order within publish_limit, each step needed (the model tests remove them in turn):
//   nonces and anchor -> announced (ANNOUNCE) -> full fence -> pins -> tail -> limit (RECLAIM)

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway::ring {

inline constexpr std::size_t kNobody = ~std::size_t{0};

struct LimitOutcome {
  std::uint64_t limit;    ///< as published
  std::size_t pinned_by;  ///< index of the pin that holds the limit below `announced`, or kNobody
  std::uint32_t hostile;  ///< pins beyond tail: ignored, to be reported
};

/// Makes a ring ready for its first claim: everything of the first lap is announced and claimable.
/// `draw()` returns a random 64-bit nonce.
template <class View, class Draw>
void open_ring(const View& view, std::uint64_t base_offset, Draw&& draw) noexcept {
  // Relaxed: nobody else maps the ring yet; it reaches them through a descriptor.
  for (std::uint32_t index = 0; index < layout::kNonces; ++index) {
    view.nonce(index).store(draw(), std::memory_order::relaxed);
  }
  view.tail().store(view.codec().pack({false, 0, base_offset}), std::memory_order::relaxed);
  view.anchor().store(base_offset, std::memory_order::relaxed);
  view.announced().store(view.ring_bytes(), std::memory_order::relaxed);
  view.limit().store(view.ring_bytes(), std::memory_order::release);
}

/// `reusable`: everything below it may be overwritten as far as the topic's mode goes (durable
/// rounded down to a page, committed, or the slowest consumer), but nothing that the caller has not
/// passed itself: a consumer may be ahead of it. reusable.offset is the anchor.
/// `pins(i)` for i in [0, pin_count) loads (acquire) the i-th consumer's pin. Never lowers a limit.
template <class View, class Pins, class Draw>
LimitOutcome publish_limit(const View& view, Place reusable, std::size_t pin_count, Pins&& pins,
                           Draw&& draw) noexcept {
  const std::uint64_t ring_bytes = view.ring_bytes();
  const std::uint64_t segment_bytes = ring_segment_bytes(ring_bytes);
  // Relaxed: only this thread writes announced, limit and anchor.
  const std::uint64_t announced_before = view.announced().load(std::memory_order::relaxed);
  const std::uint64_t limit_before = view.limit().load(std::memory_order::relaxed);
  // Never back: an anchor must not fall behind the limit by more than a ring.
  const std::uint64_t anchor =
      std::max(view.anchor().load(std::memory_order::relaxed), reusable.offset);
  const std::uint64_t announced =
      std::max(announced_before, (reusable.position + ring_bytes) / segment_bytes * segment_bytes);
  for (std::uint64_t p = announced_before; p < announced; p += segment_bytes) {
    // Relaxed: published by ANNOUNCE and RECLAIM.
    view.nonce(nonce_index(p, view.codec())).store(draw(), std::memory_order::relaxed);
  }
  view.anchor().store(anchor, std::memory_order::relaxed);        // likewise
  view.announced().store(announced, std::memory_order::seq_cst);  // ANNOUNCE
  View::full_fence();  // with PIN: either we see the pin, or its owner sees `announced`

  std::uint64_t lowest = layout::kNoPin;
  std::uint64_t tail = 0;
  LimitOutcome outcome{0, kNobody, 0};
  for (std::size_t i = 0; i < pin_count; ++i) {
    const std::uint64_t pin = pins(i);  // PIN, UNPIN
    if (pin == layout::kNoPin) continue;
    // Below the window: its owner is about to see `announced` and to go to the log.
    if (pin + ring_bytes < limit_before) continue;
    // Tail is loaded after the pin it judges: no honest pin is ahead of it.
    if (pin > tail)
      tail = view.codec().unpack(view.tail().load(std::memory_order::acquire)).position;
    if (pin > tail) {
      ++outcome.hostile;
    } else if (pin < lowest) {
      lowest = pin;
      outcome.pinned_by = i;
    }
  }
  std::uint64_t limit = announced;
  if (lowest != layout::kNoPin && lowest + ring_bytes < announced) {
    limit = lowest + ring_bytes;
  } else {
    outcome.pinned_by = kNobody;
  }
  outcome.limit = std::max(limit_before, limit);
  view.limit().store(outcome.limit, std::memory_order::release);  // RECLAIM
  return outcome;
}

}  // namespace ringway::ring
