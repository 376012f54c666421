#pragma once

// Transient. SESSION: memfds of one client ("chunks"). That client writes; the supervisor maps them
// read-only; other clients never see them.
//
//   +----------------+--------------+
//   | SessionHeader  | Slot × N     |
//   | 4 KiB          | 128 bytes    |
//   +----------------+--------------+

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "layout/latency.hpp"
#include "layout/ring.hpp"

namespace ringway::layout {

inline constexpr std::uint64_t kSessionMagic = 0x3153455359415752;  // "RWAYSES1"
inline constexpr std::uint32_t kSlotsPerChunk = 480;                // 64 KiB with the header

struct SessionHeader {
  std::uint64_t magic;
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t slots;
  std::uint64_t session;
  std::uint32_t chunk;
  std::uint8_t reserved[4096 - 28];
};
static_assert(sizeof(SessionHeader) == kPageBytes);

/// States of an intent word; the rest of the word is position / kUnitBytes.
enum class Intent : std::uint64_t {
  idle = 0,
  trying = 1,  ///< a claim at this position was or will be tried
  owned = 2,   ///< the claim at this position is this slot's
};

inline constexpr std::uint64_t kNoPin = ~std::uint64_t{0};

/// How a producer moves tail.
enum class ClaimMode : std::uint32_t {
  shared = 0,     ///< by compare-and-swap
  exclusive = 1,  ///< by a plain store: nobody else claims
};

/// How many of a slot's counts of latencies lie in its first half.
inline constexpr std::size_t kLatenciesBefore = 9;

/// One handle on one partition. A producer uses the first half, a consumer the second, and what it
/// counts in both.
struct Slot {
  // Producer. length: {units: high 32, offsets: low 32}; word: {position / 32, Intent: low 2 bits};
  // tail: the tail word that the attempt starts from. length and tail change only while word is 0.
  // mode: ClaimMode; as the supervisor gave the slot away, until the client makes it `shared`.
  alignas(128) std::atomic<std::uint64_t> length;
  std::atomic<std::uint64_t> word;
  std::atomic<std::uint64_t> tail;
  std::atomic<std::uint32_t> mode;
  // Consumer, since 1.3, in the first slot of each handle: its samples of how long records took, by
  // bucket (latency_count()). They only grow, modulo 2^32, and are not set back for another handle.
  std::atomic<std::uint32_t> latencies_before[kLatenciesBefore];
  // Consumer. pin: ring position held in place, or kNoPin; offset: next to be polled;
  // committed: named cursors, the position given by commit(), as offset. Both kNoOffset at first.
  std::atomic<std::uint64_t> pin;
  std::atomic<std::uint64_t> offset;
  std::atomic<std::uint64_t> committed;
  std::atomic<std::uint64_t> latency_sum_ns;  // modulo 2^64
  std::atomic<std::uint32_t> latencies_behind[kLatencyBuckets - kLatenciesBefore];
};
static_assert(sizeof(Slot) == 128);
static_assert(offsetof(Slot, mode) == 24);
static_assert(offsetof(Slot, latencies_before) == 28);
static_assert(offsetof(Slot, pin) == 64);
static_assert(offsetof(Slot, latency_sum_ns) == 88);
static_assert(offsetof(Slot, latencies_behind) == 96);

/// The count of a bucket (latency.hpp). `Slot` may be const.
template <class AnySlot>
constexpr auto& latency_count(AnySlot& slot, std::size_t bucket) noexcept {
  return bucket < kLatenciesBefore ? slot.latencies_before[bucket]
                                   : slot.latencies_behind[bucket - kLatenciesBefore];
}

constexpr std::uint64_t session_file_bytes(std::uint32_t slots) noexcept {
  return round_up_to_page(kPageBytes + slots * sizeof(Slot));
}

constexpr std::uint64_t pack_intent(std::uint64_t position, Intent intent) noexcept {
  return (position / kUnitBytes) << 2 | static_cast<std::uint64_t>(intent);
}
constexpr std::uint64_t intent_position(std::uint64_t word) noexcept {
  return (word >> 2) * kUnitBytes;
}
/// Untrusted words may hold the fourth bit pattern; it counts as idle.
constexpr Intent intent_state(std::uint64_t word) noexcept {
  const std::uint64_t state = word & 3;
  return state == 3 ? Intent::idle : static_cast<Intent>(state);
}
constexpr std::uint64_t pack_length(std::uint64_t bytes, std::uint64_t offsets) noexcept {
  return (bytes / kUnitBytes) << 32 | (offsets & 0xffffffff);
}
constexpr std::uint64_t length_bytes(std::uint64_t word) noexcept {
  return (word >> 32) * kUnitBytes;
}
constexpr std::uint64_t length_offsets(std::uint64_t word) noexcept {
  return word & 0xffffffff;
}

}  // namespace ringway::layout
