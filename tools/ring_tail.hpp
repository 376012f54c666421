#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "layout/record.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"
#include "ringway/record.hpp"

namespace ringway::cli {

/// A committed record, copied out of a ring.
struct RingRecord {
  ring::Place place;
  layout::RecordHeader header;
  std::string body;

  RecordView view(std::uint32_t partition) const noexcept;
};

/// The last `count` committed records that lie in the ring, oldest first. Walks from one of the
/// board's boundaries and pins nothing: what was overwritten meanwhile is left out, so that there
/// may be fewer, also none, in a ring that turns at full speed.
std::vector<RingRecord> last_records(const ring::PartitionView& view, std::size_t count);

}  // namespace ringway::cli
