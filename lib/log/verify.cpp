#include "log/verify.hpp"

#include "log/file_error.hpp"
#include "log/segment_name.hpp"
#include "ringway/error.hpp"

namespace ringway::log {
namespace {

NamedHole file_missing(LogPoint from, LogPoint to) {
  return {segment_name(from.offset), Hole{from, to, 0}};
}

/// False when the visitor has seen enough.
bool read_segment(SegmentReader& reader, const std::string& name,
                  const std::function<bool(const Record&)>& visit, LogReport& report) {
  SegmentWalk walk(reader);
  Record record;
  while (true) {
    const ReadStatus status = walk.next(record);
    report.end = walk.at();
    if (status == ReadStatus::end) return true;
    if (status != ReadStatus::ok) {
      const Hole hole = reader.hole();
      report.holes.push_back({name, hole});
      if (hole.to.position <= hole.from.position) return true;  // unreadable, and nothing behind it
      walk.go_to(hole.to);
      continue;
    }
    report.bytes += layout::record_bytes(record.header);
    if (record.header.kind == static_cast<std::uint8_t>(layout::RecordKind::skip)) {
      report.skipped_offsets += layout::record_offsets(record.header);
      continue;
    }
    ++report.records;
    if (visit && !visit(record)) return false;
  }
}

}  // namespace

LogReport verify_log(storage::FileSystem& file_system, const std::string& directory,
                     const std::function<bool(const Record&)>& visit, LogPoint durable,
                     const LogIdentity* owner) {
  LogReport report;
  report.recovered = recover(file_system, directory, RecoverMode::inspect, owner);
  const std::vector<SegmentInfo>& segments = report.recovered.segments;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentInfo& segment = segments[i];
    const std::string path = directory + "/" + segment.name;
    const int descriptor = file_system.open(path, storage::OpenMode::read);
    if (descriptor == -ENOENT) continue;
    require(descriptor, path, "open");
    SegmentReader reader(file_system, storage::File(file_system, descriptor));
    if (reader.header().base_offset != segment.first.offset) continue;
    if (i + 1 < segments.size()) reader.limit_to(segment.end);
    reader.trust_durable(durable);
    if (i > 0) {
      const auto missing = missing_between(segments[i - 1], segment);
      if (missing) report.holes.push_back(file_missing(missing->from, missing->to));
    }
    ++report.segments;
    report.blocks += reader.entries().size();
    if (!read_segment(reader, segment.name, visit, report)) return report;
    if (reader.end().position > report.end.position) {
      report.unverified_tail = Hole{report.end, reader.end(), 0};
    }
  }
  if (!segments.empty() && durable.offset > report.end.offset) {
    report.holes.push_back(file_missing(report.end, durable));
  }
  // All of it is gone. Where damaged files are left, those are what is the matter.
  const std::vector<DamagedFile>& damaged = report.recovered.damaged;
  if (segments.empty() && durable.offset > 0 &&
      (damaged.empty() || damaged.front().base_offset >= durable.offset)) {
    report.holes.push_back(file_missing({}, durable));
  }
  return report;
}

std::optional<Hole> hole_at(storage::FileSystem& file_system, const std::string& path,
                            std::uint64_t offset, const std::optional<LogPoint>& end) {
  SegmentReader reader(file_system, open_or_throw(file_system, path, storage::OpenMode::read));
  if (end) reader.limit_to(*end);
  SegmentWalk walk(reader);
  walk.go_to(reader.find_offset(offset));
  Record record;
  while (walk.at().offset <= offset) {
    const ReadStatus status = walk.next(record);
    if (status == ReadStatus::end) break;
    if (status == ReadStatus::ok) continue;
    const Hole hole = reader.hole();
    if (hole.to.offset > offset) return hole;
    if (hole.to.position <= hole.from.position) break;  // nobody knows how far it goes
    walk.go_to(hole.to);
  }
  return std::nullopt;
}

}  // namespace ringway::log
