#pragma once

// Pin and unpin: the consumer's side of a partition.
//
//   edge      release end                acquire end               publishes
//   PIN       pin.exchange (seq_cst)     publish_limit: pin        "these bytes are in use"
//   ANNOUNCE  publish_limit: announced,  announced.load (seq_cst)  nonces; what may be reused
//             fence
//   COMMIT    stamp (release)            scan.hpp: stamp           the record's bytes
//   UNPIN     pin.store (release)        publish_limit: pin        the end of all reads
//   RETIRE    retire: retired            end(): retired            where the successor begins
//
// PIN and ANNOUNCE are a store-load pair on both sides (Dekker): either the reader sees that its
// place was announced for reuse and goes to the log, or the supervisor sees the pin.

#include <cstdint>

#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway::ring {

/// One consumer handle on one partition. One thread at a time. Owns nothing: view and slot outlive
/// it. A crash leaves a pin, which the supervisor drops on proof of death.
template <class View, class Slot>
class Reader {
 public:
  Reader(View view, Slot& slot) noexcept : view_(view), slot_(&slot) {}

  /// Protects [position, position + ring_bytes) from reuse and returns the `announced` that bounds
  /// the walk, or 0 when the place has left the ring. One locked operation.
  std::uint64_t pin(std::uint64_t position) noexcept {
    slot_->pin.exchange(position, std::memory_order::seq_cst);                           // PIN
    const std::uint64_t announced = view_.announced().load(std::memory_order::seq_cst);  // ANNOUNCE
    if (position + view_.ring_bytes() < announced) {
      unpin();
      return 0;
    }
    return announced;
  }

  /// The same for a topic that overwrites: pins hold nobody up there, so none is set. Whatever was
  /// read from `position` on is worth something only if still_there() says so afterwards.
  std::uint64_t look(std::uint64_t position) const noexcept {
    const std::uint64_t announced = view_.announced().load(std::memory_order::acquire);  // ANNOUNCE
    return position + view_.ring_bytes() < announced ? 0 : announced;
  }
  bool still_there(std::uint64_t position) const noexcept {
    // Orders the reads of the records before the load (the read side of a sequence lock; the
    // racing reads themselves are harmless: their result is thrown away).
    View::read_fence();
    // Relaxed: the fence above orders it.
    return position + view_.ring_bytes() >= view_.announced().load(std::memory_order::relaxed);
  }

  /// Where this ring ends for its readers: what stands at or behind it is read in its successor.
  /// Asked after the last stamp that was believed; ~0 while the ring goes on.
  std::uint64_t end() const noexcept { return ring_end(view_); }

  void unpin() noexcept { slot_->pin.store(layout::kNoPin, std::memory_order::release); }  // UNPIN

  const View& view() const noexcept { return view_; }

 private:
  View view_;
  Slot* slot_;
};

}  // namespace ringway::ring
