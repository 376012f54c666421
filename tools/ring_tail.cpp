#include "tools/ring_tail.hpp"

#include <algorithm>
#include <deque>

#include "client/boundary_table.hpp"
#include "client/committed_walk.hpp"
#include "client/record_view.hpp"

namespace ringway::cli {
namespace {

constexpr int kAttempts = 4;

struct Seen {
  ring::Place place;
  layout::RecordHeader header;
};

/// Where to start so that at least `count` offsets follow, or as early as the ring allows.
std::optional<ring::Place> start_for(const ring::PartitionView& view, std::uint64_t committed,
                                     std::size_t count) {
  const auto near = latest_boundary(view, [&](const ring::Place& place) {
    return place.offset <= committed && committed - place.offset >= count;
  });
  return near ? near : oldest_boundary(view);
}

/// The body behind a header that was bounded; split where the data area is mapped once.
std::string copy_body(const ring::PartitionView& view, const Seen& seen) {
  const layout::RecordHeader& header = seen.header;
  const std::uint64_t bytes =
      std::uint64_t{header.payload_bytes} + header.key_bytes + header.headers_bytes;
  const std::uint64_t from = seen.place.position + sizeof header;
  const std::uint64_t left = view.ring_bytes() - (from & (view.ring_bytes() - 1));
  const std::uint64_t first = std::min(bytes, left);
  std::string body(reinterpret_cast<const char*>(view.at(from)), first);
  body.append(reinterpret_cast<const char*>(view.at(from + first)), bytes - first);
  return body;
}

}  // namespace

RecordView RingRecord::view(std::uint32_t partition) const noexcept {
  return view_of(header, reinterpret_cast<const std::byte*>(body.data()), place.offset, partition);
}

std::vector<RingRecord> last_records(const ring::PartitionView& view, std::size_t count) {
  const std::uint64_t offsets_max = view.ring_bytes() / layout::kUnitBytes;
  int attempts = 0;
  // Skips use up offsets too: more may have to be walked over than were asked for.
  for (std::uint64_t offsets = count; count > 0; offsets *= 4) {
    const auto start = start_for(view, CommittedWalk(view).offset(), offsets);
    if (!start) break;
    std::deque<Seen> last;
    ring::Place place = *start;
    const std::uint64_t announced = view.announced().load(std::memory_order::acquire);
    static_cast<void>(ring::walk(
        view, place, announced, [&](const ring::Place& at, const layout::RecordHeader& header) {
          if (header.kind != static_cast<std::uint8_t>(layout::RecordKind::data)) return;
          last.push_back({at, header});
          if (last.size() > count) last.pop_front();
        }));
    std::vector<RingRecord> records;
    for (const Seen& seen : last) {
      records.push_back({seen.place, seen.header, copy_body(view, seen)});
    }
    std::atomic_thread_fence(std::memory_order::acquire);  // as in ring::Reader::still_there()
    if (in_window(view, start->position)) {
      if (records.size() == count || offsets >= offsets_max) return records;
    } else if (++attempts == kAttempts) {
      break;
    }
  }
  return {};
}

}  // namespace ringway::cli
