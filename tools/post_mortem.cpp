#include "tools/post_mortem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "tools/partition_facts.hpp"
#include "tools/ring_tail.hpp"

namespace ringway::cli {
namespace {

/// The program's name, which a process takes with it when it ends.
Cell program_of(const layout::ProcessId& process, std::string_view state) {
  if (state != "alive" && state != "stopped") return Cell::none();
  std::ifstream file(fmt::format("/proc/{}/comm", process.pid));
  std::string name;
  std::getline(file, name);
  return name.empty() ? Cell::none() : Cell::of_text(name);
}

std::vector<Cell> process_cells(const Handle& handle, const InspectedTopic& memory) {
  const std::string state(memory.state_of(handle.process));
  return {Cell::of_number(handle.process.pid), Cell::of_text(handle.user),
          program_of(handle.process, state), Cell::of_text(state)};
}

std::vector<Cell> with(std::vector<Cell> cells, std::vector<Cell> more) {
  cells.insert(cells.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  return cells;
}

Cell maybe(std::uint64_t offset) {
  return offset == layout::kNoOffset ? Cell::none() : Cell::of_number(offset);
}

Cell lag_behind(std::uint64_t end, std::uint64_t offset) {
  return offset == layout::kNoOffset ? Cell::none()
                                     : Cell::of_number(end - std::min(end, offset));
}

Cell claim_of(const layout::Slot& slot, std::uint64_t tail) {
  const std::uint64_t word = slot.word.load(std::memory_order::acquire);
  const std::uint64_t length = slot.length.load(std::memory_order::acquire);
  const bool owned = layout::intent_state(word) == layout::Intent::owned;
  if (!owned || layout::intent_position(word) >= tail) return Cell::none();
  return {fmt::format("{} bytes at {}", layout::length_bytes(length),
                      layout::intent_position(word)),
          {{"position", layout::intent_position(word)}, {"bytes", layout::length_bytes(length)}}};
}

}  // namespace

PostMortem::PostMortem(std::string topic, std::vector<control::CursorListing> kept,
                       std::size_t records)
    : topic_(std::move(topic)),
      kept_(std::move(kept)),
      records_max_(records),
      partitions_{{"PARTITION", "partition", Align::right},
                  {"FIRST", "first_offset", Align::right},
                  {"COMMITTED", "committed", Align::right},
                  {"WRITTEN", "written", Align::right},
                  {"DURABLE", "durable", Align::right},
                  {"IN MEMORY ONLY", "memory_only", Align::right},
                  {"STATE", "state"}},
      records_{{"PARTITION", "partition", Align::right},
               {"OFFSET", "offset", Align::right},
               {"TIME", "timestamp_ns"},
               {"BYTES", "bytes", Align::right},
               {"PRODUCER", "producer", Align::right},
               {"PID", "pid", Align::right},
               {"USER", "user"},
               {"PROGRAM", "program"},
               {"PROCESS", "process"}},
      producer_rows_{{"PARTITION", "partition", Align::right},
                     {"PRODUCER", "producer", Align::right},
                     {"PID", "pid", Align::right},
                     {"USER", "user"},
                     {"PROGRAM", "program"},
                     {"PROCESS", "process"},
                     {"CLAIM IN FLIGHT", "claim"}},
      cursors_{{"PARTITION", "partition", Align::right},
               {"CURSOR", "name"},
               {"OFFSET", "offset", Align::right},
               {"LAG", "lag", Align::right},
               {"KEPT", "kept", Align::right},
               {"PID", "pid", Align::right},
               {"USER", "user"},
               {"PROGRAM", "program"},
               {"PROCESS", "process"}} {}

void PostMortem::unknown(const std::string& what) {
  if (std::ranges::count(unknown_, what) == 0) unknown_.push_back(what);
}

void PostMortem::add_record(std::uint32_t partition, std::uint64_t offset,
                            const layout::RecordHeader& header) {
  const std::uint64_t bytes =
      std::uint64_t{header.payload_bytes} + header.key_bytes + header.headers_bytes;
  std::vector<Cell> cells{Cell::of_number(partition), Cell::of_number(offset),
                          Cell::of_time(header.timestamp_ns), Cell::of_number(bytes),
                          Cell::of_number(header.producer)};
  const auto producer = producers_.find(header.producer);
  if (producer != producers_.end()) {
    return records_.add(with(std::move(cells), process_cells(producer->second, *memory_)));
  }
  if (memory_ != nullptr) {
    unknown(fmt::format("who producer {} was: it had closed the topic, or its entry was given "
                        "away, before all of this ended",
                        header.producer));
  }
  records_.add(
      with(std::move(cells), {Cell::none(), Cell::none(), Cell::none(), Cell::of_text("unknown")}));
}

void PostMortem::add_kept(std::uint32_t partition, std::uint64_t end) {
  for (const control::CursorListing& cursor : kept_) {
    const bool held = std::ranges::any_of(
        handles_, [&](const Handle& handle) { return handle.cursor == cursor.name; });
    if (held) continue;
    const bool known = partition < cursor.offsets.size() && cursor.offsets[partition];
    const std::uint64_t offset = known ? *cursor.offsets[partition] : layout::kNoOffset;
    cursors_.add({Cell::of_number(partition), Cell::of_text(cursor.name), Cell::none(),
                  lag_behind(end, offset), maybe(offset), Cell::none(), Cell::none(), Cell::none(),
                  Cell::none()});
  }
}

void PostMortem::add_handles(InspectedTopic& memory, std::uint32_t partition,
                             std::uint64_t committed) {
  const ring::PartitionView view = memory.view(partition);
  const std::uint64_t tail =
      view.codec().unpack(view.tail().load(std::memory_order::acquire)).position;
  for (const Handle& handle : handles_) {
    const layout::Slot* slot = memory.slot(handle, partition);
    if (slot == nullptr) {
      unknown(fmt::format("where pid {} stood: its session's memory is gone, or not for this user",
                          handle.process.pid));
    }
    if (handle.role == layout::Role::producer) {
      producer_rows_.add(with(with({Cell::of_number(partition), Cell::of_number(handle.producer)},
                                   process_cells(handle, memory)),
                              {slot == nullptr ? Cell::none() : claim_of(*slot, tail)}));
      continue;
    }
    const std::uint64_t at = slot == nullptr ? layout::kNoOffset
                                             : slot->offset.load(std::memory_order::acquire);
    const std::uint64_t kept = slot == nullptr ? layout::kNoOffset
                                               : slot->committed.load(std::memory_order::acquire);
    cursors_.add(with({Cell::of_number(partition),
                       handle.cursor.empty() ? Cell::none() : Cell::of_text(handle.cursor),
                       maybe(at), lag_behind(committed, at), maybe(kept)},
                      process_cells(handle, memory)));
  }
}

void PostMortem::look(InspectedTopic& memory, std::uint32_t partition, const Logged& logged) {
  memory_ = &memory;
  handles_ = memory.handles();
  producers_.clear();
  for (const Handle& handle : handles_) {
    if (handle.role == layout::Role::producer) producers_.emplace(handle.producer, handle);
  }
  const ring::PartitionView view = memory.view(partition);
  const PartitionFacts facts = partition_facts(view, memory.state(), partition);
  partitions_.add({Cell::of_number(partition), Cell::of_number(facts.first_offset),
                   Cell::of_number(facts.committed), Cell::of_number(facts.written),
                   Cell::of_number(facts.durable),
                   Cell::of_number(facts.committed - std::min(facts.committed, facts.written)),
                   Cell::of_text(facts.state)});
  const std::vector<RingRecord> in_ring = last_records(view, records_max_);
  if (in_ring.size() < records_max_) {  // it is newer than they are, or has given their space back
    const std::uint64_t below = in_ring.empty() ? facts.committed : in_ring.front().place.offset;
    const auto older = logged(partition, records_max_ - in_ring.size(), below);
    for (const LoggedRecord& record : older) {
      add_record(partition, record.offset, record.header);
    }
  }
  for (const RingRecord& record : in_ring) {
    add_record(partition, record.place.offset, record.header);
  }
  add_handles(memory, partition, facts.committed);
  add_kept(partition, facts.committed);
  unknown("what programs that are dead were called, and what they were about to publish");
}

void PostMortem::look(const LogTail& log, std::uint32_t partition) {
  partitions_.add({Cell::of_number(partition), Cell::of_number(log.first_offset), Cell::none(),
                   Cell::of_number(log.end_offset), Cell::none(), Cell::none(),
                   Cell::of_text(log.damaged == 0 ? "log only" : "log only, damaged")});
  for (const LoggedRecord& record : log.records) {
    add_record(partition, record.offset, record.header);
  }
  add_kept(partition, log.end_offset);
  unknown("what was committed and not in the log yet: it was in the rings only");
  unknown("which processes the producers were, and who was dead: only the rings said");
  unknown("where consumers without a named cursor stood; named ones may have been a second ahead");
}

std::string PostMortem::render(const std::string& found, Format format, Style style) {
  Report report;
  report.add("Topic", "topic", Cell::of_text(topic_));
  report.add("Found in", "source", Cell::of_text(memory_ != nullptr ? "memory" : "log"));
  report.add("Through", "through", Cell::of_text(found));
  if (memory_ != nullptr) {
    const layout::ProcessId supervisor = memory_->supervisor();
    const std::string state(memory_->state_of(supervisor));
    report.add("Supervisor", "supervisor",
               {fmt::format("pid {}, {}", supervisor.pid, state),
                {{"pid", supervisor.pid}, {"process", state}}});
  } else {
    report.add("Supervisor", "supervisor", Cell::none());
  }
  report.add("PARTITIONS", "partitions", partitions_);
  report.add("LAST RECORDS", "records", records_);
  report.add("PRODUCERS", "producers", producer_rows_);
  report.add("CONSUMERS", "cursors", cursors_);
  Rows unknown{{"WHAT", "what"}};
  for (const std::string& what : unknown_) unknown.add({Cell::of_text(what)});
  report.add("CANNOT BE KNOWN ANY MORE", "unknown", unknown);
  return report.render(format, style);
}

}  // namespace ringway::cli
