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

/// Whether a record, or a skip, is committed at the boundary.
template <class View>
[[gnu::always_inline]] inline bool is_committed(const View& view, std::uint64_t position) noexcept {
  return view.stamp(position).load(std::memory_order::acquire) ==  // COMMIT
         current_stamp(view, position);
}

/// Looks at the record boundary `position`, which must be below an `announced` that the caller
/// loaded (acquire) in this walk, and protected from reuse by a pin or by being the supervisor.
/// Never search for stamps: only positions reached from a known boundary mean anything.
template <class View>
[[gnu::always_inline]] inline Found peek(const View& view, std::uint64_t position,
                                         layout::RecordHeader& header) noexcept {
  if (!is_committed(view, position)) return Found::nothing;
  header = view.load_header(position);
  // A claim is at most a quarter of the ring, or half with filler before it.
  return layout::plausible(header, view.ring_bytes() / 2) ? Found::record : Found::corrupt;
}

/// peek() for who walks over many records. Most are as long as the one before: where a header's
/// words say that again, it was looked through already, and the way to the next one is the same
/// number as before. The processor guesses that branch, and so goes on to the records behind it
/// without waiting until the words are there, which may have to come from another core.
class Stride {
 public:
  explicit Stride(std::uint64_t ring_bytes) noexcept : bytes_max_(ring_bytes / 2) {}

  /// As ring::peek(). What was found is in the members below.
  template <class View>
  [[gnu::always_inline]] Found peek(const View& view, std::uint64_t position) noexcept {
    if (!is_committed(view, position)) return Found::nothing;
    words_ = view.load_words(position);
    if (words_.payload_bytes() == payload_bytes_ && words_.rest == rest_) [[likely]]
      return Found::record;
    return look_through();
  }
  const layout::HeaderWords& words() const noexcept { return words_; }
  /// Of the record that was found: in ring and log; and whether it is one, not a skip.
  std::uint64_t bytes() const noexcept { return bytes_; }
  bool data() const noexcept { return payload_bytes_ != kNone; }

 private:
  static constexpr std::uint64_t kNone = std::uint64_t{1} << 32;  // no header can say that

  Found look_through() noexcept {
    const layout::RecordHeader header = layout::header_of(words_);
    payload_bytes_ = kNone;
    if (!layout::plausible(header, bytes_max_)) return Found::corrupt;
    bytes_ = layout::record_bytes(header);
    // Skips of the same bytes need not use up as many offsets.
    if (header.kind != static_cast<std::uint8_t>(layout::RecordKind::data)) return Found::record;
    payload_bytes_ = header.payload_bytes;
    rest_ = words_.rest;
    return Found::record;
  }

  std::uint64_t bytes_max_;
  layout::HeaderWords words_{};
  // Of the last record that was one: what the next one's words are held against, and its bytes.
  std::uint64_t payload_bytes_ = kNone;
  std::uint64_t rest_ = 0;
  std::uint64_t bytes_ = 0;
};

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
