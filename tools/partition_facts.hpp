#pragma once

#include <cstdint>
#include <string>

#include "layout/board.hpp"
#include "ring/partition_view.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// What `topic describe` and `inspect` tell of each partition.
struct PartitionFacts {
  std::uint32_t partition = 0;
  std::uint64_t first_offset = 0;
  std::uint64_t committed = 0;
  std::uint64_t written = 0;
  std::uint64_t durable = 0;
  std::uint64_t ring_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t log_gaps = 0;  ///< how often the log went on behind offsets that it lacks
  /// "serving", "stopping", "quarantined", "deleted", or what holds producers up, with the pid
  /// where it is a process: "disk_full", "pinned by pid 123".
  std::string state;
};

/// Taken from the board, `committed` from the ring itself: it is exact also when nobody moves the
/// board's.
PartitionFacts partition_facts(const ring::PartitionView& view, layout::TopicState topic,
                               std::uint32_t partition);

/// The columns of both verbs, in the contract's order, and their cells.
std::vector<Column> partition_columns();
std::vector<Cell> partition_cells(const PartitionFacts& facts);

}  // namespace ringway::cli
