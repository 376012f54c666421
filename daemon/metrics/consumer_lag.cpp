#include "daemon/metrics/consumer_lag.hpp"

#include <algorithm>
#include <vector>

#include "client/boundary_table.hpp"
#include "ring/scan.hpp"

namespace ringway::daemon::metrics {
namespace {

/// Skips that are passed on the way to a record that has a time.
constexpr int kHopsMax = 64;

/// When the first record at or behind a boundary of the ring was published; nothing where it is not
/// to be found, or not in the ring any more.
std::optional<std::int64_t> time_in_ring(const ring::PartitionView& view, ring::Place place) {
  layout::RecordHeader header;
  for (int hop = 0; hop < kHopsMax; ++hop) {
    const std::uint64_t announced = view.announced().load(std::memory_order::acquire);  // ANNOUNCE
    if (place.position >= announced || !in_window(view, place.position) ||
        ring::peek(view, place.position, header) != ring::Found::record) {
      return {};
    }
    // The read side of a sequence lock, as in ring::Reader::still_there().
    ring::PartitionView::read_fence();
    if (!in_window(view, place.position)) return {};
    if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) {
      return header.timestamp_ns;
    }
    place.pass(header);
  }
  return {};
}

/// What is known of a place in a partition's stream.
struct Mark {
  std::uint64_t offset;
  std::uint64_t position;
  std::optional<std::int64_t> time_ns;
};

std::optional<std::int64_t> known(std::int64_t time_ns) {
  return time_ns == log::kNoTime ? std::nullopt : std::optional(time_ns);
}

/// From old to new.
std::vector<Mark> marks_of(const ServedTopic& topic, std::uint32_t partition,
                           std::uint64_t base, std::uint64_t committed,
                           std::uint64_t committed_position) {
  std::vector<Mark> marks;
  const std::vector<log::SegmentInfo> segments = topic.segments(partition).snapshot();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const log::SegmentInfo& segment = segments[i];
    marks.push_back({segment.first.offset, segment.first.position, known(segment.time_min)});
    // The newest has grown since its entry was made.
    if (i + 1 < segments.size()) {
      marks.push_back({segment.end.offset, segment.end.position, known(segment.time_max)});
    }
  }
  const ring::PartitionView view = topic.view(partition);
  if (const auto oldest = oldest_boundary(view)) {
    marks.push_back({oldest->offset, base + oldest->position, time_in_ring(view, *oldest)});
  }
  marks.push_back({committed, committed_position, {}});
  std::ranges::sort(marks, {}, &Mark::offset);
  return marks;
}

/// The value at an offset that lies between two marks that have one, in proportion; of one mark
/// alone, its own.
template <class Value, class Of>
std::optional<Value> between(const std::vector<Mark>& marks, std::uint64_t offset, Of&& of) {
  const Mark* before = nullptr;
  const Mark* behind = nullptr;
  for (const Mark& mark : marks) {
    if (!of(mark)) continue;
    if (mark.offset <= offset) before = &mark;
    if (mark.offset > offset && behind == nullptr) behind = &mark;
  }
  if (before == nullptr && behind == nullptr) return {};
  if (before == nullptr) return of(*behind);
  if (behind == nullptr) return of(*before);
  const auto part = static_cast<double>(offset - before->offset) /
                    static_cast<double>(behind->offset - before->offset);
  const auto low = static_cast<double>(*of(*before));
  return static_cast<Value>(low + (static_cast<double>(*of(*behind)) - low) * part);
}

}  // namespace

ConsumerLag lag_behind(const ServedTopic& topic, std::uint32_t partition, std::uint64_t offset,
                       std::optional<std::uint64_t> position) {
  const ring::PartitionView view = topic.view(partition);
  const layout::BoardPartition& board = view.board();
  // Relaxed, here and below: numbers for people, each true for itself.
  const std::uint64_t committed = board.committed_offset.load(std::memory_order::relaxed);
  if (committed <= offset) return {.records = 0, .bytes = 0};
  const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
  const std::uint64_t committed_position =
      base + board.committed_position.load(std::memory_order::relaxed);
  ConsumerLag lag{.records = committed - offset};
  // Untrusted: who reads has written it.
  if (position && *position < committed_position) {
    lag.bytes = committed_position - *position;
    if (*position >= base) {
      const std::uint64_t aligned = (*position - base) / layout::kUnitBytes * layout::kUnitBytes;
      lag.since_ns = time_in_ring(view, {aligned, offset});
    }
    if (lag.since_ns) return lag;
  }
  const std::vector<Mark> marks = marks_of(topic, partition, base, committed, committed_position);
  if (!lag.bytes) {
    const auto at = between<std::uint64_t>(
        marks, offset, [](const Mark& mark) { return std::optional(mark.position); });
    if (at && *at <= committed_position) lag.bytes = committed_position - *at;
  }
  lag.since_ns =
      between<std::int64_t>(marks, offset, [](const Mark& mark) { return mark.time_ns; });
  return lag;
}

}  // namespace ringway::daemon::metrics
