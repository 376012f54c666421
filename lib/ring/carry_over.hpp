#pragma once

#include <cstdint>

#include "ring/scan.hpp"

namespace ringway::ring {

/// Copies what a retired ring's claims left between its end and its tail to the start of its
/// successor, in the same order and with the same offsets: records as they are, void claims as
/// skips. `to` was opened with the end's offset and nobody else knows it yet. False: what stands
/// there cannot be followed (a producer spoiled it), and `to` must be opened anew.
template <class View>
bool carry_over(const View& from, const View& to) noexcept {
  // Nobody but a spoiler writes what is read here: claims are decided, and the decider is us or
  // dead. Hence relaxed, and every word checked.
  layout::Tail tail = from.codec().unpack(from.tail().load(std::memory_order::relaxed));
  const Place end{from.end_position().load(std::memory_order::relaxed),
                  from.end_offset().load(std::memory_order::relaxed)};
  const std::uint32_t void_claims = from.void_claims().load(std::memory_order::relaxed);
  if (void_claims > layout::kVoidClaims) return false;
  if (void_claims > 0) {
    // An exclusive producer stores the last claim to tail when it wakes up, or has done so.
    const auto& last = from.void_claim(void_claims - 1);
    if (last.position.load(std::memory_order::relaxed) == tail.position) {
      tail.position += last.bytes.load(std::memory_order::relaxed);
      tail.offset_low += last.offsets.load(std::memory_order::relaxed);
    }
  }
  if (tail.position < end.position || tail.position - end.position > to.ring_bytes()) return false;
  Place place = end;
  std::uint32_t next_void = 0;
  layout::RecordHeader header;
  while (place.position < tail.position) {
    const std::uint64_t at = place.position - end.position;
    const auto& gone = from.void_claim(next_void < void_claims ? next_void : 0);
    const bool is_void =
        next_void < void_claims && gone.position.load(std::memory_order::relaxed) == place.position;
    if (is_void) {
      ++next_void;
      header = layout::skip_header(gone.bytes.load(std::memory_order::relaxed),
                                   gone.offsets.load(std::memory_order::relaxed));
    } else if (peek(from, place.position, header) != Found::record) {
      return false;
    }
    const std::uint64_t bytes = layout::record_bytes(header);
    if (bytes > tail.position - place.position) return false;
    if (!is_void) to.copy(at, from, place.position, bytes);
    to.store_header(at, header);
    // Relaxed: the board's magic, published last, carries all of it.
    to.stamp(at).store(current_stamp(to, at), std::memory_order::relaxed);
    place.pass(header);
  }
  if (next_void != void_claims ||
      from.codec().full_offset(tail.offset_low, end.offset) != place.offset) {
    return false;
  }
  to.tail().store(to.codec().pack({false, place.position - end.position, place.offset}),
                  std::memory_order::relaxed);
  return true;
}

}  // namespace ringway::ring
