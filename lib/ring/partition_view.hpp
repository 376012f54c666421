#pragma once

// What the ring algorithms touch of one partition. The algorithms (writer, reader, limit, repair)
// are templates over a view with these members, so that the same code runs on shared memory, on
// plain memory in unit tests, and on a model checker's atomics.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>

#include "layout/board.hpp"
#include "layout/record.hpp"
#include "layout/ring.hpp"
#include "ring/relax.hpp"
#include "ring/stamp.hpp"

namespace ringway::ring {

/// How a data area is mapped here: `mirrored` twice in a row, so that no record wraps, or once.
enum class Mapping : unsigned char { single, mirrored };

/// References into the mapped board and ring of one partition; owns nothing. Copyable; valid while
/// the mappings are. Everything behind it may change at any time.
class PartitionView {
 public:
  PartitionView(layout::BoardPartition& board, layout::PartitionTail& tail, std::byte* data,
                std::uint64_t ring_bytes, Mapping mapping) noexcept
      : board_(&board),
        tail_(&tail.tail),
        data_(data),
        ring_bytes_(ring_bytes),
        codec_(ring_bytes),
        mapping_(mapping) {}

  std::uint64_t ring_bytes() const noexcept { return ring_bytes_; }
  const layout::TailCodec& codec() const noexcept { return codec_; }
  Mapping mapping() const noexcept { return mapping_; }

  std::atomic<std::uint64_t>& tail() const noexcept { return *tail_; }
  std::atomic<std::uint64_t>& limit() const noexcept { return board_->limit; }
  std::atomic<std::uint64_t>& anchor() const noexcept { return board_->anchor; }
  std::atomic<std::uint64_t>& announced() const noexcept { return board_->announced; }
  std::atomic<std::uint32_t>& share_wanted() const noexcept { return board_->share_wanted; }
  std::atomic<std::uint64_t>& nonce(std::uint32_t index) const noexcept {
    return board_->nonce[index];
  }
  std::atomic<std::uint32_t>& retired() const noexcept { return board_->retired; }
  std::atomic<std::uint32_t>& void_claims() const noexcept { return board_->void_claims; }
  layout::VoidClaim& void_claim(std::uint32_t index) const noexcept {
    return board_->void_claim[index];
  }
  std::atomic<std::uint64_t>& end_position() const noexcept { return board_->end_position; }
  std::atomic<std::uint64_t>& end_offset() const noexcept { return board_->end_offset; }
  layout::BoardPartition& board() const noexcept { return *board_; }

  /// The memory of a position; contiguous for claim_bytes_max() bytes only when mirrored.
  std::byte* at(std::uint64_t position) const noexcept {
    return data_ + (position & (ring_bytes_ - 1));
  }
  std::atomic<std::uint64_t>& stamp(std::uint64_t position) const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(at(position));
  }
  /// Has the processor ask for the line of a position as who writes to it next, while it goes on.
  void ask_for(std::uint64_t position) const noexcept {
#if defined(__x86_64__)
    // GCC has an instruction for it only where all processors that it compiles for are newer.
    asm volatile("prefetchw %0" : : "m"(*at(position)));
#else
    __builtin_prefetch(at(position), 1);
#endif
  }
  /// A copy of everything behind the stamp; `stamp` is 0 in it.
  layout::RecordHeader load_header(std::uint64_t position) const noexcept {
    return layout::load_header(at(position));
  }
  layout::HeaderWords load_words(std::uint64_t position) const noexcept {
    return layout::load_words(at(position));
  }
  /// Everything but the stamp.
  void store_header(std::uint64_t position, const layout::RecordHeader& header) const noexcept {
    std::memcpy(at(position) + sizeof header.stamp,
                reinterpret_cast<const std::byte*>(&header) + sizeof header.stamp,
                sizeof header - sizeof header.stamp);
  }

  /// Copies `bytes` of another ring, each end wrapping by itself. Both are multiples of the unit.
  void copy(std::uint64_t to, const PartitionView& source, std::uint64_t from,
            std::uint64_t bytes) const noexcept {
    while (bytes != 0) {
      const std::uint64_t run = std::min({bytes, ring_bytes_ - (to & (ring_bytes_ - 1)),
                                          source.ring_bytes_ - (from & (source.ring_bytes_ - 1))});
      std::memcpy(at(to), source.at(from), run);
      to += run;
      from += run;
      bytes -= run;
    }
  }

  static void relax() noexcept { ringway::relax(); }
  static void full_fence() noexcept { std::atomic_thread_fence(std::memory_order::seq_cst); }
  static void write_fence() noexcept { std::atomic_thread_fence(std::memory_order::release); }
  static void read_fence() noexcept { std::atomic_thread_fence(std::memory_order::acquire); }

 private:
  layout::BoardPartition* board_;
  std::atomic<std::uint64_t>* tail_;
  std::byte* data_;
  std::uint64_t ring_bytes_;
  layout::TailCodec codec_;
  Mapping mapping_;
};

/// The stamp that commits `position` now. The nonce is read relaxed: whoever asks has acquired
/// `limit` (producers) or `announced` (readers) past the position, and both follow the nonce.
template <class View>
[[gnu::always_inline]] inline std::uint64_t current_stamp(const View& view,
                                                          std::uint64_t position) noexcept {
  const auto index = nonce_index(position, view.codec());
  return stamp_of(position, view.nonce(index).load(std::memory_order::relaxed));
}

}  // namespace ringway::ring
