#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "client/interrupt.hpp"
#include "client/topic_memory.hpp"
#include "layout/bell.hpp"
#include "shm/barrier.hpp"
#include "shm/park.hpp"

namespace ringway {

/// No sleep is longer: the bell is memory that others may write nonsense to.
inline constexpr std::chrono::milliseconds kSleepMax{250};
/// Nor than this where the kernel has no membarrier: a publisher's look at the bell may then pass
/// the sleeper's mark unseen.
inline constexpr std::chrono::milliseconds kSleepMaxUnfenced{1};

/// The waking and sleeping of one topic (ring/bell.hpp) on its shared memory. Belongs to one
/// handle; memory and doorbell outlive it.
class TopicBell {
 public:
  TopicBell(const TopicMemory& memory, int doorbell, bool fenced_for_us) noexcept
      : sleepers_(&memory.bell().sleepers),
        seq_(&memory.bell_seq()),
        doorbell_(doorbell),
        fenced_for_us_(fenced_for_us) {}

  std::atomic<std::uint32_t>& sleepers() const noexcept { return *sleepers_; }
  std::atomic<std::uint32_t>& seq() const noexcept { return *seq_; }

  void publisher_fence() const noexcept {
    if (!fenced_for_us_) std::atomic_thread_fence(std::memory_order::seq_cst);
  }
  void wake_consumers() const noexcept { shm::wake_all(*seq_); }
  void wake_supervisor() const noexcept {
    const std::uint64_t one = 1;
    // It can only fail when the counter is full: then the supervisor is awake or about to be.
    [[maybe_unused]] const auto written = ::write(doorbell_, &one, sizeof one);
  }
  /// Has the flusher look now, whether it sleeps or only pauses: for who is about to wait for it.
  void call_supervisor() const noexcept { wake_supervisor(); }

  void sleeper_barrier() noexcept {
    bound_ = shm::ProcessBarrier::instance().issue() ? kSleepMax : kSleepMaxUnfenced;
    if (bound_ != kSleepMax) std::atomic_thread_fence(std::memory_order::seq_cst);
  }
  void park(std::uint32_t seq) noexcept {
    interrupt_->park(*seq_, seq, std::min<std::chrono::nanoseconds>(bound_, patience_));
  }
  /// For the next park: who may interrupt it and how long it may be.
  void prepare(Interrupt& interrupt, std::chrono::nanoseconds patience) noexcept {
    interrupt_ = &interrupt;
    patience_ = patience;
  }

 private:
  std::atomic<std::uint32_t>* sleepers_;
  std::atomic<std::uint32_t>* seq_;
  int doorbell_;
  bool fenced_for_us_;
  std::chrono::milliseconds bound_ = kSleepMax;
  std::chrono::nanoseconds patience_{};
  Interrupt* interrupt_ = nullptr;
};

}  // namespace ringway
