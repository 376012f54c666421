#pragma once

// Transient. BELL: one memfd per topic, read-write for everybody who may read the topic. It holds
// only hints about who sleeps: whatever is written here, a sleep ends within its bound (250 ms) and
// nobody's data is at risk.
//
//   +------------+---------------------+
//   | BellHeader | BellPartition × P   |
//   | 4 KiB      | 64 bytes            |
//   +------------+---------------------+

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "layout/ring.hpp"

namespace ringway::layout {

enum Sleeper : std::uint32_t {
  kConsumerSleeps = 1,    ///< someone waits on RingHeader::bell_seq
  kSupervisorSleeps = 2,  ///< the flusher waits on its doorbell (an eventfd that producers hold)
};

struct BellHeader {
  /// Sleeper bits. Set by who is about to sleep, taken away with exchange(0) by who wakes them.
  std::atomic<std::uint32_t> sleepers;
  std::uint8_t reserved[4096 - 4];
};
static_assert(sizeof(BellHeader) == kPageBytes);

/// What someone waits for on BoardPartition::progress. For a level only where the supervisor, or
/// the library, is of before 1.2.
enum ProgressWaiter : std::uint32_t {
  kWaitsForAny = 1,  ///< whatever it is: all that earlier libraries say
  kWaitsForWritten = 2,
  kWaitsForDurable = 4,
  kWaitsForSpace = 8,  ///< a limit that moves
};

/// A value of BellPartition::sync_wanted.
inline constexpr std::uint32_t kSyncComes = 2;

struct BellPartition {
  /// ProgressWaiter bits. When one of these moved, the supervisor takes all away and wakes.
  alignas(64) std::atomic<std::uint32_t> progress_waiters;
  /// 1 when someone waits for `written` or `durable` (not only for space): sync without delay. Who
  /// sets it rings, if it was 0; the flusher takes it away before it looks at the ring. kSyncComes:
  /// it will look soon, without being rung for.
  std::atomic<std::uint32_t> sync_wanted;
  /// Since 1.2: which words of BoardPartition::told someone sleeps on, waiting for `durable`
  /// (bit w) or for `written` (bit 16 + w). The supervisor takes away those that it wakes.
  std::atomic<std::uint32_t> told_waiters;
  std::uint8_t reserved[52];
};
static_assert(sizeof(BellPartition) == 64);

constexpr std::uint64_t bell_file_bytes(std::uint32_t partitions) noexcept {
  return round_up_to_page(kPageBytes + partitions * sizeof(BellPartition));
}

}  // namespace ringway::layout
