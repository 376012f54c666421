#include "tools/log_tail.hpp"

#include <algorithm>
#include <deque>

#include "log/recovery.hpp"
#include "log/segment_reader.hpp"
#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

/// The last `count` records of one segment.
std::deque<LoggedRecord> tail_of(storage::FileSystem& file_system, const std::string& directory,
                                 const log::SegmentInfo& segment, std::size_t count) {
  std::deque<LoggedRecord> tail;
  const int descriptor = file_system.open(directory + "/" + segment.name, storage::OpenMode::read);
  if (descriptor == -ENOENT) return tail;  // retired meanwhile
  if (descriptor < 0) throw system_error(-descriptor, segment.name, "open");
  log::SegmentReader reader(file_system, storage::File(file_system, descriptor));
  reader.limit_to(segment.end);
  log::SegmentWalk walk(reader);
  const std::uint64_t behind = std::min<std::uint64_t>(count, segment.end.offset);
  walk.go_to(reader.find_offset(std::max(segment.first.offset, segment.end.offset - behind)));
  log::Record record;
  for (;;) {
    const log::ReadStatus status = walk.next(record);
    if (status == log::ReadStatus::end) return tail;
    if (status != log::ReadStatus::ok) {
      const log::Hole hole = reader.hole();
      if (hole.to.position <= hole.from.position) return tail;
      walk.go_to(hole.to);
      continue;
    }
    if (record.header.kind != static_cast<std::uint8_t>(layout::RecordKind::data)) continue;
    tail.push_back({record.at.offset, record.header});
    if (tail.size() > count) tail.pop_front();
  }
}

}  // namespace

LogTail tail_of_log(storage::FileSystem& file_system, const std::string& directory,
                    std::size_t count) {
  const log::Recovered found =
      log::recover(file_system, directory, log::RecoverMode::inspect);
  LogTail tail;
  tail.damaged = found.damaged.size();
  tail.end_offset = found.end.offset;
  if (!found.segments.empty()) tail.first_offset = found.segments.front().first.offset;
  for (auto segment = found.segments.rbegin(); segment != found.segments.rend(); ++segment) {
    if (tail.records.size() >= count) break;
    const auto part = tail_of(file_system, directory, *segment, count - tail.records.size());
    tail.records.insert(tail.records.begin(), part.begin(), part.end());
  }
  return tail;
}

}  // namespace ringway::cli
