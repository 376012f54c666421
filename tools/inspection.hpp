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

/// What `inspect` shows: a row for each partition that was looked at, with its producers, cursors,
/// holes and last records. A table has these as lists over all partitions, JSON as members of each.
/// Owned by one verb, used by one thread; the topic outlives it.
class Inspection {
 public:
  Inspection(InspectedTopic& topic, std::vector<control::CursorListing> kept,
             std::size_t records_max);

  void look(std::uint32_t partition);
  std::string render(Format format, Style style) const;

 private:
  /// What was seen of one partition, for people and programs alike.
  struct Partition {
    std::uint32_t number;
    std::vector<Cell> overview;  ///< a row of all partitions' table
    Cell tail, limit;            ///< of the ring: for programs only
    Rows producers, cursors, holes;
    Rows records;       ///< as a table has them, the beginning of each
    Json whole_records;  ///< as consumers print them
  };

  Rows producers(const ring::PartitionView& view, std::uint32_t partition,
                 std::uint64_t committed_position) const;
  Rows cursors(const PartitionFacts& facts) const;
  void take_records(const ring::PartitionView& view, Partition& into) const;
  Report head(std::uint32_t pages_lost) const;
  Json json(const Partition& partition) const;
  std::string table(Report report, Style style) const;

  InspectedTopic& topic_;
  const std::vector<control::CursorListing> kept_;
  const std::size_t records_max_;
  const std::uint32_t pages_lost_before_ = shm::pages_lost.load();
  const std::vector<Handle> handles_;
  std::vector<Partition> partitions_;
};

}  // namespace ringway::cli
