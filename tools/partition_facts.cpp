#include "tools/partition_facts.hpp"

#include <fmt/format.h>

#include "client/committed_walk.hpp"

namespace ringway::cli {
namespace {

std::string state_word(const layout::BoardPartition& board, layout::TopicState topic) {
  // Relaxed: for people.
  const auto hold = static_cast<layout::Hold>(board.hold.load(std::memory_order::relaxed));
  const std::uint32_t pid = board.hold_pid.load(std::memory_order::relaxed);
  if (topic == layout::TopicState::deleted) return "deleted";
  if (hold != layout::Hold::quarantined && topic == layout::TopicState::stopping) return "stopping";
  const bool a_process = hold == layout::Hold::pinned || hold == layout::Hold::stopped_claim ||
                         hold == layout::Hold::slow_consumer;
  return a_process ? fmt::format("{} by pid {}", to_string(hold), pid)
                   : std::string(to_string(hold));
}

}  // namespace

PartitionFacts partition_facts(const ring::PartitionView& view, layout::TopicState topic,
                               std::uint32_t partition) {
  const layout::BoardPartition& board = view.board();
  PartitionFacts facts;
  facts.partition = partition;
  // From low to high, so that they stand in order although all of them move.
  facts.first_offset = board.first_offset.load(std::memory_order::acquire);
  facts.durable = board.durable_offset.load(std::memory_order::acquire);
  facts.written = board.written_offset.load(std::memory_order::acquire);
  facts.committed = CommittedWalk(view).offset();
  facts.ring_bytes = view.ring_bytes();
  facts.log_bytes = board.log_bytes.load(std::memory_order::relaxed);  // for people
  facts.log_gaps = board.log_gaps.load(std::memory_order::relaxed);
  facts.state = state_word(board, topic);
  return facts;
}

std::vector<Column> partition_columns() {
  return {{"PARTITION", "partition", Align::right},
          {"FIRST", "first_offset", Align::right},
          {"COMMITTED", "committed", Align::right},
          {"WRITTEN", "written", Align::right},
          {"DURABLE", "durable", Align::right},
          {"RING", "ring_bytes", Align::right},
          {"LOG", "log_bytes", Align::right},
          {"GAPS", "log_gaps", Align::right},
          {"STATE", "state"}};
}

std::vector<Cell> partition_cells(const PartitionFacts& facts) {
  return {Cell::of_number(facts.partition), Cell::of_number(facts.first_offset),
          Cell::of_number(facts.committed), Cell::of_number(facts.written),
          Cell::of_number(facts.durable),   Cell::of_bytes(facts.ring_bytes),
          Cell::of_bytes(facts.log_bytes),  Cell::of_number(facts.log_gaps),
          Cell::of_text(facts.state)};
}

}  // namespace ringway::cli
