#pragma once

#include <cstdint>

#include "client/committed_walk.hpp"
#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ring/writer.hpp"
#include "ringway/level.hpp"

namespace ringway {

/// What a producer handle has of one partition.
struct ProducerLane {
  ring::Writer<ring::PartitionView, layout::Slot> writer;
  CommittedWalk<ring::PartitionView> walk;
  /// Of the ring before this one, when this handle had to be opened anew: what had reached the
  /// levels there. Offsets below `first_offset` are judged by it.
  struct Before {
    std::uint64_t first_offset = 0;  ///< of the present ring
    std::uint64_t committed = 0;
    std::uint64_t written = 0;
    std::uint64_t durable = 0;
  } before;

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
