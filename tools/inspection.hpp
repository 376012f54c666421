#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client/administration.hpp"
#include "shm/landing.hpp"
#include "tools/inspected_topic.hpp"
#include "tools/output.hpp"
#include "tools/partition_facts.hpp"

namespace ringway::cli {

/// What `inspect` shows: a row for each partition that was looked at, and below them, as lists of
/// their own in a table and as members of each partition in JSON, its producers, cursors, holes and
/// last records. Owned by one verb, used by one thread; the topic outlives it.
class Inspection {
 public:
  Inspection(InspectedTopic& topic, std::vector<control::CursorListing> kept,
             std::size_t records_max);

  void look(std::uint32_t partition);
  std::string render(Format format, Style style) const;

 private:
  Rows producers(const ring::PartitionView& view, std::uint32_t partition,
                 std::uint64_t committed_position);
  Rows cursors(const PartitionFacts& facts);
  Rows holes(const layout::BoardPartition& board, std::uint32_t partition);
  Json records(const ring::PartitionView& view, std::uint32_t partition);

  InspectedTopic& topic_;
  const std::vector<control::CursorListing> kept_;
  const std::size_t records_max_;
  const std::uint32_t pages_lost_before_ = shm::pages_lost.load();
  const std::vector<Handle> handles_;
  Json partitions_ = Json::array();
  // For people: the same over all partitions.
  Rows all_partitions_, all_producers_, all_cursors_, all_holes_, all_records_;
};

}  // namespace ringway::cli
