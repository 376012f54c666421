#include "tools/log_tail.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>

#include "log/file_error.hpp"
#include "log/recovery.hpp"
#include "log/segment_reader.hpp"
#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

/// Records of one segment from `from` to before `end`, the last `count` of them.
std::deque<LoggedRecord> walk_from(log::SegmentReader& reader, std::uint64_t from,
                                   std::uint64_t end, std::size_t count) {
  std::deque<LoggedRecord> tail;
  log::SegmentWalk walk(reader);
  walk.go_to(reader.find_offset(from));
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
    if (record.at.offset >= end) return tail;
    if (record.header.kind != static_cast<std::uint8_t>(layout::RecordKind::data)) continue;
    tail.push_back({record.at.offset, record.header});
    if (tail.size() > count) tail.pop_front();
  }
}

/// The last `count` records of one segment that are below `below`.
std::deque<LoggedRecord> tail_of(storage::FileSystem& file_system, const std::string& directory,
                                 const log::SegmentInfo& segment, std::size_t count,
                                 std::uint64_t below) {
  const std::uint64_t first = segment.first.offset;
  const std::uint64_t end = std::min(below, segment.end.offset);
  if (end <= first) return {};
  const std::string path = directory + "/" + segment.name;
  const int descriptor = file_system.open(path, storage::OpenMode::read);
  if (descriptor == -ENOENT) return {};  // retired meanwhile
  log::require(descriptor, path, "open");
  log::SegmentReader reader(file_system, storage::File(file_system, descriptor));
  reader.limit_to(segment.end);
  // Skips use up offsets too: more may have to be walked over than were asked for.
  for (std::uint64_t offsets = count;; offsets *= 4) {
    const std::uint64_t from = end - std::min(offsets, end - first);
    auto tail = walk_from(reader, from, end, count);
    if (tail.size() == count || from == first) return tail;
  }
}

}  // namespace

LogTail tail_of_log(storage::FileSystem& file_system, const std::string& directory,
                    std::size_t count, std::uint64_t below) {
  const log::Recovered found = log::recover(file_system, directory, log::RecoverMode::inspect);
  LogTail tail;
  tail.damaged = found.damaged.size();
  tail.end_offset = found.end.offset;
  if (!found.segments.empty()) tail.first_offset = found.segments.front().first.offset;
  for (auto segment = found.segments.rbegin(); segment != found.segments.rend(); ++segment) {
    if (tail.records.size() >= count) break;
    const auto part =
        tail_of(file_system, directory, *segment, count - tail.records.size(), below);
    tail.records.insert(tail.records.begin(), part.begin(), part.end());
  }
  return tail;
}

}  // namespace ringway::cli
