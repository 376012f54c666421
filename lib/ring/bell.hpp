#pragma once

// Sleeping until something is committed, and waking who sleeps.
//
//   producer                               sleeper
//   stamp (COMMIT)                         s = seq.load (acquire)
//   [fence, unless registered]             sleepers |= bit
//   sleepers.load  -> none: done           barrier: a full fence here and in every producer
//   sleepers.exchange(0) -> who?           look again -> found: do not sleep
//   seq += 1 (release), wake               park while seq == s
//
// The producer pays one relaxed load per publish while nobody sleeps; the sleeper pays for both
// sides with membarrier. Reading seq after the look would lose a wake-up that came between them.

#include <cstdint>

#include "layout/bell.hpp"

namespace ringway::ring {

/// After COMMIT. A Bell has sleepers() and seq() atomics, publisher_fence() (nothing in a process
/// registered for the barrier, a full fence elsewhere), wake_consumers(), wake_supervisor().
template <class Bell>
[[gnu::always_inline]] inline void ring_bell(Bell& bell) noexcept {
  bell.publisher_fence();
  // Relaxed: the sleeper's barrier orders it behind our stamp, or the sleeper's look behind both.
  if (bell.sleepers().load(std::memory_order::relaxed) == 0) [[likely]]
    return;
  // Relaxed: seq carries the order. Taking the bits away makes every sleep cost one wake.
  const std::uint32_t who = bell.sleepers().exchange(0, std::memory_order::relaxed);
  if ((who & layout::kConsumerSleeps) != 0) {
    bell.seq().fetch_add(1, std::memory_order::release);  // BELL
    bell.wake_consumers();
  }
  if ((who & layout::kSupervisorSleeps) != 0) bell.wake_supervisor();
}

/// Sleeps once, unless `ready()` says there is something. A Bell also has sleeper_barrier() and
/// park(seq), which returns when seq moved, a bound passed, or a signal came. The caller looks
/// again.
template <class Bell, class Ready>
void sleep_on_bell(Bell& bell, Ready&& ready) noexcept {
  const std::uint32_t seq = bell.seq().load(std::memory_order::acquire);  // BELL
  // Relaxed: the barrier orders it.
  bell.sleepers().fetch_or(layout::kConsumerSleeps, std::memory_order::relaxed);
  bell.sleeper_barrier();
  if (ready()) return;
  bell.park(seq);
}

}  // namespace ringway::ring
