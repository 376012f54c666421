#pragma once

// Transient. RING: one memfd per topic and ring generation. Producers read-write, the rest
// read-only.
//
//   +----------------+----------------------+--------+--------+-----+
//   | RingHeader     | PartitionTail × P    | data 0 | data 1 | ... |
//   | 4 KiB          | rounded up to 4 KiB  | ring_bytes each       |
//   +----------------+----------------------+--------+--------+-----+
//
// Every word here is untrusted to whoever reads it: a producer may have written anything.
// Positions are bytes since the start of this ring generation, multiples of kUnitBytes, ever
// growing; position p lies at p % ring_bytes of the partition's data area.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "layout/record.hpp"

namespace ringway::layout {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kRingBytesMin = 64 * 1024;
inline constexpr std::uint64_t kRingBytesMax = std::uint64_t{4} << 30;  // record sizes are 32-bit
inline constexpr std::uint64_t kRingSegments = 16;  // a ring segment is ring_bytes / 16
inline constexpr std::uint32_t kPartitionsMax = 10'000;
/// In words that hold an offset: there is none, or it is not known yet.
inline constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};

/// The largest record or batch claim a ring of this size takes: a quarter of it.
constexpr std::uint64_t claim_bytes_max(std::uint64_t ring_bytes) noexcept {
  return ring_bytes / 4;
}

struct RingHeader {
  std::uint64_t magic;  ///< A hint for post-mortem tools; truth is in the board.
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t reserved0;
  /// Producers bump it after a publish that saw a sleeper; sleepers futex-wait on it.
  alignas(128) std::atomic<std::uint32_t> bell_seq;
  std::uint8_t reserved1[4096 - 128 - 4];
};
static_assert(sizeof(RingHeader) == kPageBytes);
static_assert(offsetof(RingHeader, bell_seq) == 128);

struct PartitionTail {
  /// {closed: 1 (top bit), units: 63 - k, offset low bits: k}, k = 1 + log2(ring units).
  alignas(128) std::atomic<std::uint64_t> tail;
  std::uint8_t reserved[120];
};
static_assert(sizeof(PartitionTail) == 128);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

inline constexpr std::uint64_t kRingMagic = 0x31474e5259415752;  // "RWAYRNG1"

constexpr std::uint64_t round_up_to_page(std::uint64_t bytes) noexcept {
  return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}
constexpr std::uint64_t ring_data_offset(std::uint32_t partitions, std::uint64_t ring_bytes,
                                         std::uint32_t partition) noexcept {
  return kPageBytes + round_up_to_page(partitions * sizeof(PartitionTail)) + partition * ring_bytes;
}
constexpr std::uint64_t ring_file_bytes(std::uint32_t partitions,
                                        std::uint64_t ring_bytes) noexcept {
  return ring_data_offset(partitions, ring_bytes, partitions);
}

/// What a tail word says. `offset_low` is the next offset's low bits (TailCodec::offset_mask).
struct Tail {
  bool closed;
  std::uint64_t position;  ///< bytes
  std::uint64_t offset_low;
};

/// Packs and unpacks tail words of a ring of one size. `ring_bytes` is a power of two.
class TailCodec {
 public:
  constexpr explicit TailCodec(std::uint64_t ring_bytes) noexcept
      : low_bits_(1 + static_cast<unsigned>(std::countr_zero(ring_bytes / kUnitBytes))) {}

  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

  constexpr std::uint64_t offset_mask() const noexcept {
    return (std::uint64_t{1} << low_bits_) - 1;
  }
  /// First position that no longer fits the word; the ring must have been replaced before.
  constexpr std::uint64_t position_end() const noexcept {
    return ((std::uint64_t{1} << (63 - low_bits_)) - 1) * kUnitBytes;
  }
  /// A ring segment is 1 << segment_bits() bytes: there are half as many as a unit has bytes.
  constexpr unsigned segment_bits() const noexcept {
    static_assert(2 * kRingSegments == kUnitBytes);
    return low_bits_;
  }
  /// As many offsets as such a ring can ever give: a record takes a unit at least.
  constexpr std::uint64_t offsets_end() const noexcept { return position_end() / kUnitBytes; }
  constexpr std::uint64_t pack(const Tail& tail) const noexcept {
    return (tail.closed ? kClosed : 0) | (tail.position / kUnitBytes) << low_bits_ |
           (tail.offset_low & offset_mask());
  }
  constexpr Tail unpack(std::uint64_t word) const noexcept {
    return {(word & kClosed) != 0, ((word & ~kClosed) >> low_bits_) * kUnitBytes,
            word & offset_mask()};
  }
  /// The full offset, given one that is at most 2 * ring units behind it.
  constexpr std::uint64_t full_offset(std::uint64_t offset_low,
                                      std::uint64_t anchor) const noexcept {
    return anchor + ((offset_low - anchor) & offset_mask());
  }

 private:
  unsigned low_bits_;
};

}  // namespace ringway::layout
