#include "daemon/segment_opening.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/log_damage.hpp"
#include "daemon/segment_search.hpp"
#include "storage/posix_file_system.hpp"

namespace ringway::daemon {
namespace {

using Segments = std::vector<log::SegmentInfo>;

/// The newest has grown since its entry was made, if this ring goes into it: one that is left of a
/// lost ring does not reach over the jump.
void let_newest_grow(Segments& segments, const layout::BoardPartition& board) {
  if (segments.empty()) return;
  const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);  // fixed
  std::uint64_t written, position;
  do {  // the two words are stored one after the other
    written = board.written_offset.load(std::memory_order::acquire);
    position = board.written_position.load(std::memory_order::acquire);
  } while (written != board.written_offset.load(std::memory_order::acquire));
  position += base;
  log::SegmentInfo& newest = segments.back();
  if (newest.first.position >= base && newest.first.position <= position &&
      newest.end.offset < written) {
    newest.end = {std::max(newest.end.position, position), written};
  }
}

/// Whether retention has taken the first of them in this very moment.
bool begins_later_now(const ServedTopic& topic, std::uint32_t partition, const Segments& segments) {
  const Segments now = topic.segments(partition).snapshot();
  return !now.empty() && now.front().name != segments.front().name;
}

bool lacks_means(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM;
}

void note_lost(Topic& topic, std::uint32_t partition, const log::SegmentInfo& segment,
               int error_number, const EventLog& log) {
  if (error_number == ENOENT) {
    return topic.damage.note_missing(log, *topic.served, partition, {segment.first, segment.end});
  }
  topic.damage.note(log, *topic.served,
                    {LogDamage::Kind::unreadable, partition, segment.first, segment.end,
                     segment.name, std::generic_category().message(error_number)});
}

/// `wanted` has the place; `got`, the same or a later one, is read. None: what is in the ring.
control::SegmentFound told_of(const Topic& topic, const control::FindSegment& find,
                              const Segments& segments, std::optional<std::size_t> wanted,
                              std::optional<std::size_t> got) {
  control::SegmentFound found{.in_ring = !got};
  if (const auto* const at = std::get_if<control::AtOffset>(&find.at)) {
    if (const auto end = topic.damage.end_of_lost_files(find.partition, at->offset)) {
      found.missing_to_offset = end->offset;
      found.missing_to_position = end->position;
    }
  }
  if (std::holds_alternative<control::AtTime>(find.at)) {
    const layout::BoardPartition& board = topic.served->view(find.partition).board();
    const std::size_t first = wanted.value_or(0);
    found.lost_from_offset = topic.damage.lost_file_in(
        find.partition,
        first == 0 ? board.first_offset.load(std::memory_order::acquire)
                   : segments[first - 1].end.offset,
        got ? segments[*got].first.offset : LogDamage::kUnknown);
  }
  if (!got) return found;
  const log::SegmentInfo& segment = segments[*got];
  found.base_offset = segment.first.offset;
  found.base_position = segment.base_position;
  found.end_offset = segment.end.offset;
  found.end_position = segment.end.position;
  found.sealed = *got + 1 < segments.size();
  return found;
}

}  // namespace

OpenedSegment open_segment(Topic& topic, const control::FindSegment& find, const EventLog& log) {
  const ServedTopic& served = *topic.served;
  Segments segments = served.segments(find.partition).snapshot();
  let_newest_grow(segments, served.view(find.partition).board());
  const std::optional<std::size_t> wanted =
      std::visit([&](const auto& at) { return find_segment(segments, at); }, find.at);
  for (std::size_t i = wanted.value_or(segments.size()); i < segments.size(); ++i) {
    const log::SegmentInfo& segment = segments[i];
    const bool newest = i + 1 == segments.size();
    if (newest && segment.empty()) break;  // its file may be still to come
    const auto path = served.directory(find.partition) / segment.name;
    const bool lost =
        topic.damage.end_of_lost_files(find.partition, segment.first.offset).has_value();
    const int opened = lost ? -ENOENT : storage::open_file(path.c_str(), O_RDONLY);
    if (opened >= 0) {
      shm::Descriptor file(opened);
      return {.found = told_of(topic, find, segments, wanted, i), .file = std::move(file)};
    }
    if (opened == -ENOENT && begins_later_now(served, find.partition, segments)) {
      return open_segment(topic, find, log);
    }
    if (newest || lacks_means(-opened)) {
      const Error refused = system_error(-opened, path.string(), "the segment cannot be opened");
      if (lacks_means(-opened)) throw refused;
      return {.newest_refused = refused};
    }
    note_lost(topic, find.partition, segment, -opened, log);
  }
  return {.found = told_of(topic, find, segments, wanted, std::nullopt)};
}

}  // namespace ringway::daemon
