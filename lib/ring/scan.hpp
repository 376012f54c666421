#pragma once

#include <cstdint>

#include "layout/record.hpp"
#include "ring/partition_view.hpp"
#include "ringway/status.hpp"

namespace ringway::ring {

/// What lies at a boundary.
enum class Found : unsigned char {
  nothing,  ///< not claimed, or not yet committed
  record,   ///< committed; the header was copied and bounded
  corrupt,  ///< a commit stamp over a header that cannot be followed
};

/// Looks at the record boundary `position`, which must be below an `announced` that the caller
/// loaded (acquire) in this walk, and protected from reuse by a pin or by being the supervisor.
/// Never search for stamps: only positions reached from a known boundary mean anything.
template <class View>
[[gnu::always_inline]] inline Found peek(const View& view, std::uint64_t position,
                                         layout::RecordHeader& header) noexcept {
  if (view.stamp(position).load(std::memory_order::acquire) !=  // COMMIT
      current_stamp(view, position)) {
    return Found::nothing;
  }
  header = view.load_header(position);
  // A claim is at most a quarter of the ring, or half with filler before it.
  return layout::plausible(header, view.ring_bytes() / 2) ? Found::record : Found::corrupt;
}

/// Reader::end(). A retired ring's end never changes: whatever is stamped behind it, before or
/// after, its successor says what it was.
template <class View>
std::uint64_t ring_end(const View& view) noexcept {
  if (view.retired().load(std::memory_order::acquire) ==  // RETIRE
      static_cast<std::uint32_t>(layout::Retired::no)) [[likely]] {
    return ~std::uint64_t{0};
  }
  return view.end_position().load(std::memory_order::relaxed);  // relaxed: RETIRE orders it
}

/// A place in the stream of records.
struct Place {
  std::uint64_t position;
  std::uint64_t offset;

  void pass(const layout::RecordHeader& header) noexcept {
    position += layout::record_bytes(header);
    offset += layout::record_offsets(header);
  }
  friend bool operator==(const Place&, const Place&) = default;
};

/// Moves `place` over everything settled below `announced`; says why it stopped: nothing (caught
/// up) or corrupt. `visit(place, header)` sees every record and skip before it is passed.
template <class View, class Visit>
Found walk(const View& view, Place& place, std::uint64_t announced, Visit&& visit) noexcept {
  layout::RecordHeader header;
  while (place.position < announced) {
    const Found found = peek(view, place.position, header);
    if (found != Found::record) return found;
    visit(place, header);
    place.pass(header);
  }
  return Found::nothing;
}

}  // namespace ringway::ring
