#include "tools/inspection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/committed_walk.hpp"
#include "shm/uuid.hpp"
#include "tools/quantity.hpp"
#include "tools/record_printer.hpp"
#include "tools/ring_tail.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kShownBytes = 48;

std::vector<Column> with_partition(std::vector<Column> columns) {
  columns.insert(columns.begin(), {"PARTITION", "partition", Align::right});
  return columns;
}

std::vector<Column> overview_columns() {
  std::vector<Column> columns = partition_columns();
  const std::vector<Column> more = {{"FILL", "fill", Align::right},
                                    {"PRODUCERS", "producers", Align::right},
                                    {"CURSORS", "cursors", Align::right},
                                    {"REPAIRS", "repairs", Align::right}};
  columns.insert(columns.end() - 1, more.begin(), more.end());
  return columns;
}

std::vector<Column> producer_columns() {
  return {{"PID", "pid", Align::right},           {"USER", "user"}, {"PROCESS", "process"},
          {"IDENTITY", "identity", Align::right}, {"MODE", "mode"}, {"CLAIM IN FLIGHT", "claim"}};
}
std::vector<Column> cursor_columns() {
  return {{"CURSOR", "name"},
          {"PID", "pid", Align::right},
          {"USER", "user"},
          {"PROCESS", "process"},
          {"OFFSET", "offset", Align::right},
          {"LAG", "lag", Align::right},
          {"HELD FROM", "pin", Align::right},
          {"READS", "reads"}};
}
std::vector<Column> hole_columns() {
  return {{"OFFSET", "offset", Align::right},     {"OFFSETS", "offsets", Align::right},
          {"POSITION", "position", Align::right}, {"BYTES", "bytes", Align::right},
          {"PID", "pid", Align::right},           {"REPAIRED AT", "repaired_at_ns"}};
}
std::vector<Column> record_columns() {
  return {{"OFFSET", "offset", Align::right},
          {"TIME", "timestamp_ns"},
          {"PRODUCER", "producer", Align::right},
          {"KEY", "key"},
          {"VALUE", "value"}};
}

Cell claim_cell(const ring::PartitionView& view, const layout::Slot* slot,
                std::uint64_t committed_position) {
  if (slot == nullptr) return {"not visible", nullptr};
  const std::uint64_t word = slot->word.load(std::memory_order::acquire);
  const std::uint64_t length = slot->length.load(std::memory_order::acquire);
  const layout::Intent intent = layout::intent_state(word);
  const std::uint64_t position = layout::intent_position(word);
  const std::uint64_t tail =
      view.codec().unpack(view.tail().load(std::memory_order::acquire)).position;
  // What was settled, or never claimed, is only what its owner left in the slot.
  if (intent == layout::Intent::idle || position < committed_position || position >= tail) {
    return Cell::none();
  }
  const std::string_view state = intent == layout::Intent::owned ? "owned" : "trying";
  const Json json = {{"position", position},
                     {"bytes", layout::length_bytes(length)},
                     {"records", layout::length_offsets(length)},
                     {"state", state}};
  return {fmt::format("{} bytes at {}, {}, {}", layout::length_bytes(length), position,
                      counted(layout::length_offsets(length), "record"), state),
          json};
}

Cell lag_cell(std::uint64_t committed, std::uint64_t offset) {
  return Cell::of_number(committed - std::min(committed, offset));
}

std::string shortened(std::string_view bytes) {
  std::string text(bytes.substr(0, kShownBytes));
  return bytes.size() > kShownBytes ? text + "..." : text;
}

Rows holes(const layout::BoardPartition& board) {
  Rows rows(hole_columns());
  const std::uint64_t repairs = board.repairs.load(std::memory_order::acquire);
  const std::uint64_t kept = std::min<std::uint64_t>(repairs, layout::kHoles);
  for (std::uint64_t i = repairs - kept; i < repairs; ++i) {
    const layout::Hole& hole = board.hole[i % layout::kHoles];
    // Relaxed: for people.
    const auto load = [](const auto& word) { return word.load(std::memory_order::relaxed); };
    const std::uint64_t offset = load(hole.offset);
    rows.add({offset == layout::kNoOffset ? Cell::none() : Cell::of_number(offset),
              Cell::of_number(load(hole.offsets)), Cell::of_number(load(hole.position)),
              Cell::of_number(load(hole.bytes)), Cell::of_number(load(hole.pid)),
              Cell::of_time(static_cast<std::int64_t>(load(hole.repaired_at_ns)))});
  }
  return rows;
}

}  // namespace

Inspection::Inspection(InspectedTopic& topic, std::vector<control::CursorListing> kept,
                       std::size_t records_max)
    : topic_(topic),
      kept_(std::move(kept)),
      records_max_(records_max),
      handles_(topic.handles()) {}

void Inspection::look(std::uint32_t partition) {
  const ring::PartitionView view = topic_.view(partition);
  const layout::BoardPartition& board = view.board();
  const PartitionFacts facts = partition_facts(view, topic_.state(), partition);
  const std::uint64_t committed_position = CommittedWalk(view).place().position;
  const std::uint64_t limit = board.limit.load(std::memory_order::acquire);
  const std::uint64_t tail =
      view.codec().unpack(view.tail().load(std::memory_order::acquire)).position;
  const double free = limit > tail ? static_cast<double>(limit - tail) : 0;
  const double fill = std::clamp(1 - free / static_cast<double>(view.ring_bytes()), 0.0, 1.0);

  Partition seen{.number = partition,
                 .overview = partition_cells(facts),
                 .tail = Cell::of_number(tail),
                 .limit = Cell::of_number(limit),
                 .producers = producers(view, partition, committed_position),
                 .cursors = cursors(facts),
                 .holes = holes(board),
                 .records = Rows(record_columns()),
                 .whole_records = Json::array()};
  take_records(view, seen);
  const std::vector<Cell> more = {
      {fmt::format("{:.1f} %", fill * 100), std::round(fill * 10'000) / 10'000},
      {std::to_string(seen.producers.size()), seen.producers.json()},
      {std::to_string(seen.cursors.size()), seen.cursors.json()},
      Cell::of_number(board.repairs.load(std::memory_order::acquire))};
  seen.overview.insert(seen.overview.end() - 1, more.begin(), more.end());
  partitions_.push_back(std::move(seen));
}

Rows Inspection::producers(const ring::PartitionView& view, std::uint32_t partition,
                           std::uint64_t committed_position) const {
  Rows rows(producer_columns());
  for (const Handle& handle : handles_) {
    if (handle.role != layout::Role::producer) continue;
    rows.add({Cell::of_number(handle.process.pid), Cell::of_text(handle.user),
              Cell::of_text(std::string(topic_.state_of(handle.process))),
              Cell::of_number(handle.producer),
              Cell::of_text(handle.exclusive ? "exclusive" : "shared"),
              claim_cell(view, topic_.slot(handle, partition), committed_position)});
  }
  return rows;
}

Rows Inspection::cursors(const PartitionFacts& facts) const {
  Rows rows(cursor_columns());
  const auto name_cell = [](const std::string& name) {
    return name.empty() ? Cell::none() : Cell::of_text(name);
  };
  for (const Handle& handle : handles_) {
    if (handle.role != layout::Role::consumer) continue;
    const layout::Slot* slot = topic_.slot(handle, facts.partition);
    Cell offset = Cell::none();
    Cell lag = Cell::none();
    Cell pin = Cell::none();
    if (slot != nullptr) {
      const std::uint64_t at = slot->offset.load(std::memory_order::acquire);
      const std::uint64_t pinned = slot->pin.load(std::memory_order::acquire);
      if (at != layout::kNoOffset) {  // a partition that it does not read
        offset = Cell::of_number(at);
        lag = lag_cell(facts.committed, at);
      }
      if (pinned != layout::kNoPin) pin = Cell::of_number(pinned);
    }
    rows.add({name_cell(handle.cursor), Cell::of_number(handle.process.pid),
              Cell::of_text(handle.user),
              Cell::of_text(std::string(topic_.state_of(handle.process))), std::move(offset),
              std::move(lag), std::move(pin),
              Cell::of_text(handle.copies ? "copies" : "in place")});
  }
  for (const control::CursorListing& cursor : kept_) {
    const bool held = std::any_of(handles_.begin(), handles_.end(),
                                  [&](const Handle& at) { return at.cursor == cursor.name; });
    if (held) continue;
    Cell offset = Cell::none();
    Cell lag = Cell::none();
    if (facts.partition < cursor.offsets.size() && cursor.offsets[facts.partition]) {
      offset = Cell::of_number(*cursor.offsets[facts.partition]);
      lag = lag_cell(facts.committed, *cursor.offsets[facts.partition]);
    }
    rows.add({name_cell(cursor.name), Cell::none(), Cell::none(), Cell::none(), std::move(offset),
              std::move(lag), Cell::none(), Cell::none()});
  }
  return rows;
}

void Inspection::take_records(const ring::PartitionView& view, Partition& into) const {
  if (records_max_ == 0) return;
  RecordPrinter printer(topic_.name(), Format::jsonl, "", Detail::all);
  for (const RingRecord& record : last_records(view, records_max_)) {
    const RecordView shown = record.view(into.number);
    std::string line;
    printer.append(line, shown);
    into.whole_records.push_back(Json::parse(line));
    into.records.add({Cell::of_number(shown.offset()), Cell::of_time(shown.timestamp_ns()),
                      Cell::of_number(shown.producer()),
                      shown.has_key() ? Cell::of_text(shortened(shown.key())) : Cell::none(),
                      Cell::of_text(shortened(shown.value()))});
  }
}

Report Inspection::head(std::uint32_t pages_lost) const {
  const layout::ProcessId supervisor = topic_.supervisor();
  const std::string_view state = topic_.state_of(supervisor);
  Report report;
  report.add("Topic", "topic", Cell::of_text(topic_.name()));
  report.add("UUID", "uuid", Cell::of_text(shm::to_string(topic_.uuid())));
  report.add("Ring generation", "generation", Cell::of_number(topic_.generation()));
  report.add("Layout", "layout", Cell::of_text(topic_.layout()));
  report.add("Supervisor", "supervisor",
             {fmt::format("pid {}, {}", supervisor.pid, state),
              {{"pid", supervisor.pid}, {"process", state}}});
  report.add("Seen through", "through", Cell::of_text(topic_.through()));
  report.add("Pages lost", "pages_lost",
             {pages_lost == 0
                  ? "none"
                  : fmt::format("{}: no memory to fill holes, which show as zeros", pages_lost),
              pages_lost});
  return report;
}

Json Inspection::json(const Partition& partition) const {
  Json entry = Json::object();
  const std::vector<Column> columns = overview_columns();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    entry[columns[i].name] = partition.overview[i].json;
  }
  entry["tail"] = partition.tail.json;
  entry["limit"] = partition.limit.json;
  entry["generation"] = topic_.generation();
  entry["holes"] = partition.holes.json();
  if (records_max_ > 0) entry["records"] = partition.whole_records;
  return entry;
}

std::string Inspection::table(Report report, Style style) const {
  Rows overview(overview_columns());
  for (const Partition& partition : partitions_) overview.add(partition.overview);
  report.add("PARTITIONS", "partitions", std::move(overview));
  const auto add_all = [&](std::string heading, const char* name, std::vector<Column> columns,
                           Rows Partition::* list) {
    Rows all(with_partition(std::move(columns)));
    for (const Partition& partition : partitions_) {
      all.add_behind(Cell::of_number(partition.number), partition.*list);
    }
    if (!all.empty()) report.add(std::move(heading), name, std::move(all));
  };
  add_all("PRODUCERS", "producers", producer_columns(), &Partition::producers);
  add_all("CURSORS", "cursors", cursor_columns(), &Partition::cursors);
  add_all("REPAIRED CLAIMS", "holes", hole_columns(), &Partition::holes);
  add_all("LAST RECORDS", "records", record_columns(), &Partition::records);
  return report.render(Format::table, style);
}

std::string Inspection::render(Format format, Style style) const {
  Report report = head(shm::pages_lost.load() - pages_lost_before_);
  if (format == Format::table) return table(std::move(report), style);
  Json partitions = Json::array();
  for (const Partition& partition : partitions_) partitions.push_back(json(partition));
  report.add("PARTITIONS", "partitions", Cell{{}, std::move(partitions)});
  return report.render(format, style);
}

}  // namespace ringway::cli
