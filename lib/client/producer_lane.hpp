#pragma once

#include <cstdint>

#include "client/committed_walk.hpp"
#include "client/former_rings.hpp"
#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ring/writer.hpp"
#include "ringway/level.hpp"

namespace ringway {

/// What a producer handle has of one partition.
struct ProducerLane {
  ring::Writer<ring::PartitionView, layout::Slot> writer;
  CommittedWalk<ring::PartitionView> walk;
  FormerRings former;  ///< judges the offsets before the present ring's

  ProducerLane(const ring::PartitionView& view, layout::Slot& slot) noexcept
      : writer(view, slot), walk(view) {}

  const layout::BoardPartition& board() const noexcept { return writer.view().board(); }

  /// The exclusive watermark of a level; committed by its own look at the ring.
  std::uint64_t watermark(Level level) noexcept {
    switch (level) {
      case Level::committed:
        return walk.offset();
      case Level::written:
        return board().written_offset.load(std::memory_order::acquire);
      case Level::durable:
        return board().durable_offset.load(std::memory_order::acquire);
    }
    return 0;
  }
};

}  // namespace ringway
