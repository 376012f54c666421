#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "log/verify.hpp"
#include "shm/uuid.hpp"
#include "storage/posix_file_system.hpp"
#include "tools/log_selection.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

std::string reason(const log::NamedHole& named, const log::Recovered& found) {
  const log::Hole& hole = named.hole;
  if (hole.known) return "lost, as a repair has said";
  if (named.file_is_missing()) {
    return found.has_damaged_file_for(hole.from, hole.to) ? "the file cannot be followed"
                                                          : "the file is missing";
  }
  return hole.error < 0 ? std::string(std::strerror(-hole.error)) : "bytes do not verify";
}

/// The findings of one or all partitions. In JSON each partition has its own.
class Findings {
 public:
  explicit Findings(bool in_use) : in_use_(in_use) {}

  void add(std::uint32_t partition, const log::LogReport& found) {
    const std::vector<log::SegmentInfo>& segments = found.recovered.segments;
    const std::uint64_t first = segments.empty() ? 0 : segments.front().first.offset;
    const std::uint64_t end = found.end.offset;
    Json holes = Json::array(), lost = Json::array();
    for (const log::NamedHole& named : found.holes) {
      const log::Hole& hole = named.hole;
      (hole.known ? lost : holes)
          .push_back({{"segment", named.segment},
                      {"from_offset", hole.from.offset},
                      {"to_offset", hole.to.offset},
                      {"from_position", hole.from.position},
                      {"to_position", hole.to.position},
                      {"reason", reason(named, found.recovered)}});
      holes_.add({Cell::of_number(partition), Cell::of_text(named.segment),
                  Cell::of_number(hole.from.offset), Cell::of_number(hole.to.offset),
                  Cell::of_number(hole.from.position), Cell::of_number(hole.to.position),
                  Cell::of_text(reason(named, found.recovered))});
    }
    Json damaged = Json::array();
    for (const log::DamagedFile& file : found.recovered.damaged) {
      damaged.push_back({{"file", file.name}, {"rule", file.rule}, {"bytes", file.file_bytes}});
      files_.add({Cell::of_number(partition), Cell::of_text(file.name), Cell::of_text(file.rule)});
    }
    Json torn;
    if (const auto& tail = found.unverified_tail; tail && !in_use_) {
      torn = {{"from_offset", tail->from.offset},
              {"to_offset", tail->to.offset},
              {"from_position", tail->from.position},
              {"to_position", tail->to.position}};
      files_.add({Cell::of_number(partition), Cell::of_text(segments.back().name),
                  Cell::of_text(fmt::format("torn tail: offsets {} to {} never became durable; the "
                                            "next supervisor cuts them",
                                            tail->from.offset, tail->to.offset - 1))});
    }
    for (const std::string& name : found.recovered.foreign) {
      files_.add({Cell::of_number(partition), Cell::of_text(name),
                  Cell::of_text("not a file of the log; left alone")});
    }
    clean_ = clean_ && found.clean();
    partitions_.push_back({{"partition", partition},
                           {"segments", found.segments},
                           {"blocks", found.blocks},
                           {"records", found.records},
                           {"skipped_offsets", found.skipped_offsets},
                           {"bytes", found.bytes},
                           {"first_offset", first},
                           {"end_offset", end},
                           {"holes", holes},
                           {"lost", std::move(lost)},
                           {"damaged", std::move(damaged)},
                           {"torn", std::move(torn)},
                           {"foreign", found.recovered.foreign}});
    rows_.add({Cell::of_number(partition), Cell::of_number(found.segments),
               Cell::of_number(found.blocks), Cell::of_number(found.records),
               Cell::of_bytes(found.bytes), Cell::of_number(first), Cell::of_number(end),
               Cell::of_number(holes.size()),
               Cell::of_text(found.clean() ? "ok" : "DAMAGED")});
  }

  bool clean() const noexcept { return clean_; }

  std::string render(const CatalogTopic& topic, const Common& common) const {
    if (common.format != Format::table) {
      const Json object = {{"topic", topic.name},
                           {"uuid", shm::to_string(topic.uuid)},
                           {"clean", clean_},
                           {"partitions", partitions_}};
      return object.dump(common.format == Format::json ? 2 : -1, ' ', false,
                         Json::error_handler_t::replace) +
             "\n";
    }
    Report report;
    report.add("LOGS", "partitions", rows_);
    if (!holes_.empty()) report.add("HOLES", "holes", holes_);
    if (!files_.empty()) report.add("FILES", "files", files_);
    return report.render(common.format, style_of(STDOUT_FILENO));
  }

 private:
  bool in_use_;
  bool clean_ = true;
  Json partitions_ = Json::array();
  Rows rows_{{"PARTITION", "partition", Align::right},
             {"SEGMENTS", "segments", Align::right},
             {"BLOCKS", "blocks", Align::right},
             {"RECORDS", "records", Align::right},
             {"BYTES", "bytes", Align::right},
             {"FIRST", "first_offset", Align::right},
             {"END", "end_offset", Align::right},
             {"HOLES", "holes", Align::right},
             {"VERDICT", "verdict"}};
  Rows holes_{{"PARTITION", "partition", Align::right},
              {"SEGMENT", "segment"},
              {"FROM OFFSET", "from_offset", Align::right},
              {"TO OFFSET", "to_offset", Align::right},
              {"FROM POSITION", "from_position", Align::right},
              {"TO POSITION", "to_position", Align::right},
              {"REASON", "reason"}};
  Rows files_{{"PARTITION", "partition", Align::right}, {"FILE", "file"}, {"WHAT IT IS", "rule"}};
};

Exit verify(const LogOptions& options, const Common& common) {
  const LogSelection logs = select_logs(options, common);
  storage::PosixFileSystem file_system;
  const std::vector<log::LogPoint> durable = known_durable(logs, common);
  Findings findings(logs.state.in_use());
  ProgressLine progress;
  for (const std::uint32_t p : logs.partitions) {
    progress.show(fmt::format("partition {} of {}", p, logs.topic.settings.partitions));
    const std::string directory = logs.state.partition(logs.topic, p);
    const log::LogIdentity owner{logs.topic.uuid, p, 0};
    findings.add(p, log::verify_log(file_system, directory, {}, durable[p], &owner));
  }
  progress.clear();
  static_cast<void>(write_all(STDOUT_FILENO, findings.render(logs.topic, common)));
  return findings.clean() ? Exit::ok : Exit::degraded;
}

}  // namespace

void add_log_verify(CommandLine& line) {
  const auto options = std::make_shared<LogOptions>();
  CLI::App& verb = line.verb(
      {.noun = "log",
       .name = "verify",
       .why =
           "Check every block of a topic's segments on disk, and name every hole. Works beside a "
           "supervisor and without one, and changes nothing. Exit status 5 when something is "
           "damaged; what 'log repair' has said to be lost is shown, and is no news.",
       .examples = "  ringway log verify orders\n"
                   "  ringway log verify orders -p 0 --state-dir /backup/ringway --output json",
       .patience = "500ms; for its keeper 10s"},
      [options](const Common& common) { return verify(*options, common); });
  add_log_options(verb, *options);
}

}  // namespace ringway::cli
