#include "daemon/metrics/consumer_lag.hpp"

#include <algorithm>

#include "client/boundary_table.hpp"
#include "ring/scan.hpp"

namespace ringway::daemon::metrics {
namespace {

/// Of one walk.
constexpr std::uint64_t kWalkMax = 1 << 17;
/// Skips that are passed on the way from a boundary to a record that has a time.
constexpr std::uint64_t kSkipsMax = 64;

/// What is known of a place in a partition's ring.
struct Seen {
  std::uint64_t position;
  std::optional<std::int64_t> time_ns{};  ///< of the first record from there on; none: none is near
};

/// Walks from a boundary to what has `offset`; nothing where it is not reached within `hops`, of
/// which it takes what it needs, or has left the ring meanwhile.
std::optional<Seen> walk_to(const ring::PartitionView& view, ring::Place place,
                            std::uint64_t offset, std::uint64_t& hops) {
  const std::uint64_t from = place.position;
  const std::uint64_t announced = view.announced().load(std::memory_order::acquire);  // ANNOUNCE
  std::optional<Seen> seen;
  layout::RecordHeader header;
  for (; hops > 0 && place.position < announced; --hops) {
    if (ring::peek(view, place.position, header) != ring::Found::record) break;
    if (place.offset + layout::record_offsets(header) > offset) {
      if (!seen) seen = Seen{place.position};
      if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) {
        seen->time_ns = header.timestamp_ns;
        break;
      }
    }
    place.pass(header);
  }
  // The read side of a sequence lock, as in ring::Reader::still_there().
  ring::PartitionView::read_fence();
  if (!in_window(view, from)) return {};
  return seen;
}

/// The boundaries of the ring on both sides of an offset.
struct Around {
  std::optional<ring::Place> before;  ///< at it or before; none: it has left the ring
  std::optional<ring::Place> behind;  ///< none: nothing behind it is in the table yet
};

Around boundaries_around(const ring::PartitionView& view, std::uint64_t offset) {
  Around around;
  around.before = latest_boundary(view, [&](const ring::Place& place) {
    if (place.offset > offset) around.behind = place;
    return place.offset <= offset;
  });
  return around;
}

/// The earlier of two, where they are known.
template <class Value>
void at_most(std::optional<Value>& least, std::optional<Value> other) {
  if (other && (!least || *other < *least)) least = other;
}

}  // namespace

ConsumerLag lag_behind(const ServedTopic& topic, std::uint32_t partition, std::uint64_t offset,
                       std::uint64_t& hops_left) {
  const ring::PartitionView view = topic.view(partition);
  const layout::BoardPartition& board = view.board();
  // Relaxed, here and below: numbers for people, each true for itself.
  const std::uint64_t committed = board.committed_offset.load(std::memory_order::relaxed);
  if (committed <= offset) return {.records = 0, .bytes = 0};
  const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
  const std::uint64_t committed_position =
      base + board.committed_position.load(std::memory_order::relaxed);
  ConsumerLag lag{.records = committed - offset};
  const auto bytes_from = [&](std::uint64_t position) {
    return committed_position - std::min(position, committed_position);
  };
  const Around around = boundaries_around(view, offset);
  // A record has an offset: where it is too far in offsets, it mostly is in hops.
  std::uint64_t hops = std::min(hops_left, kWalkMax);
  if (around.before && offset - around.before->offset < hops) {
    hops_left -= hops;
    const auto seen = walk_to(view, *around.before, offset, hops);
    hops_left += hops;
    if (seen) {
      lag.bytes = bytes_from(base + seen->position);
      lag.since_ns = seen->time_ns;
      return lag;
    }
  }
  std::optional<std::uint64_t> position;
  if (around.behind) {
    position = base + around.behind->position;
    hops = kSkipsMax;
    if (const auto seen = walk_to(view, *around.behind, around.behind->offset, hops)) {
      at_most(lag.since_ns, seen->time_ns);
    }
  }
  // All that a segment has are as old as its youngest, or older.
  if (const auto segment = topic.segments(partition).reaching_beyond(offset)) {
    at_most(position, std::optional(segment->position));
    if (segment->time_max != log::kNoTime) {
      at_most(lag.since_ns, std::optional(segment->time_max));
    }
  }
  if (position) lag.bytes = bytes_from(*position);
  return lag;
}

}  // namespace ringway::daemon::metrics
