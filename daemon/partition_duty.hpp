#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/commit_follower.hpp"
#include "daemon/event_log.hpp"
#include "daemon/flusher.hpp"
#include "daemon/hole_list.hpp"
#include "daemon/log_flush.hpp"
#include "daemon/nonce_source.hpp"
#include "daemon/partition_events.hpp"
#include "daemon/partition_handles.hpp"
#include "daemon/ring_ending.hpp"
#include "daemon/served_topic.hpp"
#include "ring/limit.hpp"
#include "ring/sharing.hpp"

namespace ringway::daemon {

/// What the flusher owes one partition: settle the claims of the dead, follow the stamps, publish
/// committed, written and durable, carry the records to the log, hand read space back. One thread.
/// Nothing here waits. A crash costs nothing but the time until the next supervisor goes on.
class PartitionDuty {
 public:
  PartitionDuty(ServedTopic& topic, std::uint32_t partition, storage::FileSystem& file_system,
                storage::WriteEngine& engine, const EventLog& events);
  PartitionDuty(const PartitionDuty&) = delete;
  PartitionDuty& operator=(const PartitionDuty&) = delete;

  std::uint32_t partition() const noexcept { return partition_; }

  void attach(const HandleSlots& handle) {
    const layout::Slot* const slot = handle.slots + partition_;
    handles_.add(handle.role, handle.handle, handle.pid, slot, handle.reached);
    if (handle.exclusive) owner_.emplace(Owner{handle.handle, handle.pid, {view_, *slot}});
  }
  /// True when nothing is left to settle; else `on_settled` of a later round says so.
  bool release(std::uint64_t handle) { return handles_.release(handle); }

  /// An exclusive producer is asked to share. True: barrier_passed() must follow a barrier in all
  /// producers before shared() can say so of one that claims nothing.
  bool want_sharing() noexcept;
  void barrier_passed() noexcept {
    if (owner_) owner_->sharing.barrier_passed();
  }
  /// No producer stores to tail any more: others may claim, and it may be closed.
  bool shared() const noexcept { return !owner_ || owner_->sharing.over(); }

  struct Round {
    std::uint64_t bytes;  ///< newly committed
    SteadyTime due;       ///< when a batch must go out, or a failed device is tried again
  };
  /// `on_settled(handle, was_repaired)` for every released producer that is settled now.
  template <class OnSettled>
  Round round(SteadyTime now, OnSettled&& on_settled) {
    settle(on_settled);
    return follow_and_flush(now);
  }
  /// The first part of a round: what lies behind dead producers' claims is visible afterwards.
  template <class OnSettled>
  void settle(OnSettled&& on_settled) {
    if (!handles_.unsettled()) return;
    handles_.settle(view_, [&](const PartitionHandles::Settled& settled) {
      note_settled(settled);
      if (owner_ && owner_->handle == settled.handle) owner_.reset();
      on_settled(settled.handle, settled.hole.has_value());
    });
  }

  /// Nothing to do, and nothing that only time would bring.
  bool quiet() const noexcept;
  /// A record came since the last round.
  bool something_came() const noexcept;
  /// Something came that no claim came with: a stamp where nobody claimed, or a page is gone.
  bool something_unclaimed() const noexcept {
    return something_came() || (!quarantined_ && topic_.memory().lost_ring_page(partition_));
  }
  /// Right behind a round: as long as its tail reads like this, neither a claim nor time brings
  /// anything to do. Nothing: there may be something.
  std::optional<std::uint64_t> tail_at_rest() const noexcept;
  const std::atomic<std::uint64_t>& tail_word() const noexcept { return view_.tail(); }
  /// Its tail read like that `then`: a claim that stands open now came later.
  void rested_until(SteadyTime then) noexcept { stuck_since_ = std::max(stuck_since_, then); }

  /// The ring is to end, so that another can follow it (ring_ending.hpp).
  void begin_end() noexcept { ending_.begin(); }
  void cancel_end() noexcept;
  void fence() noexcept { ending_.fence(follower_.committed()); }
  /// Every claim is settled or void, and what is settled is durable where the topic is persisted.
  bool ended(SteadyTime now) const noexcept;
  bool end_is_final() const noexcept { return ending_.retired(); }
  /// What keeps the ring from its end: claims that live producers have open. None: nothing does.
  PartitionHandles::Open open_claims() const noexcept;
  /// Since when the oldest of them has stood still.
  SteadyTime stuck_since() const noexcept { return stuck_since_; }

  /// What somebody should do something about.
  std::optional<Trouble> trouble(SteadyTime now) const noexcept;

  /// Orderly stop: no claim succeeds any more as soon as producers share, and what there is goes
  /// out without delay.
  void drain() noexcept { draining_ = true; }
  /// Everything claimed is settled, and durable where the topic is persisted. In quarantine:
  /// everything that could be followed.
  bool drained() const noexcept;
  bool writing() const noexcept { return log_ && log_->writing(); }
  /// Closes the file of a quiet partition.
  void park() noexcept {
    if (log_) log_->park();
  }
  void leave_segment() {
    if (log_) log_->leave_segment();
  }
  /// Removes the segments of the log that lie before `first_kept`.
  SegmentRemoval retire_segments(std::uint64_t first_kept) {
    return log_ ? log_->retire(first_kept) : SegmentRemoval{};
  }

 private:
  Round follow_and_flush(SteadyTime now);
  void follow();
  std::optional<ring::Place> place_to_jump_to() const noexcept;
  bool consumer_lags() const noexcept;
  void publish_oldest_in_ring();
  void leave_out_of_log();
  void hand_back_space();
  void wake_waiters();
  void say_why(SteadyTime now);
  void look_for_damage(SteadyTime now);
  /// What is handed back cannot be read any more, and there is no log to read it from. Producers
  /// keep room for the largest claim with filler before it, and a segment to round down.
  std::uint64_t kept_without_log() const noexcept { return view_.ring_bytes() / 8 * 3; }
  bool log_drained() const noexcept { return !log_ || log_->drained(follower_.committed()); }
  void quarantine(std::string_view reason) { quarantine(reason, follower_.committed()); }
  void quarantine(std::string_view reason, ring::Place at);
  /// What there is goes out without delay.
  bool hurries() const noexcept { return draining_ || ending_.state() != RingEnding::State::none; }
  bool tail_is_closed() const noexcept {
    return view_.codec().unpack(view_.tail().load(std::memory_order::acquire)).closed;
  }
  /// An exclusive producer was asked to share, and does not yet.
  bool sharing_stands() const noexcept;
  /// The handle that may still store to tail.
  std::optional<std::uint64_t> storing_owner() const noexcept {
    return shared() ? std::nullopt : std::optional(owner_->handle);
  }
  void note_settled(const PartitionHandles::Settled& settled);

  std::uint64_t tail() const noexcept {
    return view_.codec().unpack(view_.tail().load(std::memory_order::acquire)).position;
  }
  /// Of a retired ring. Relaxed: own, or of a supervisor that is dead.
  std::uint64_t end_position() const noexcept {
    return board_.end_position.load(std::memory_order::relaxed);
  }
  /// Not by the tail, which a producer may have put anywhere.
  bool worn_out() const noexcept {
    return follower_.committed().position >= view_.codec().position_end() / 2;
  }
  bool unsettled() const noexcept { return follower_.committed().position < tail(); }

  /// The only producer, while it may claim by storing to tail.
  struct Owner {
    std::uint64_t handle;
    std::uint32_t pid;
    ring::Sharing<ring::PartitionView, layout::Slot> sharing;
  };

  ServedTopic& topic_;
  std::uint32_t partition_;
  PartitionEvents events_;
  ring::PartitionView view_;
  layout::BoardPartition& board_;
  layout::BellPartition& bell_;
  HoleList holes_;
  PartitionHandles handles_;
  std::optional<Owner> owner_;
  std::optional<LogFlush> log_;  ///< persisted topics only
  CommitFollower follower_;
  ring::Place reusable_;  ///< what publish_limit was last told
  bool limit_is_pinned_ = false;
  PartitionHandles::Holder pinned_by_{};  ///< while `limit_is_pinned_`
  std::uint32_t moved_ = 0;  ///< layout::ProgressWaiter: what moved and waiters were not told yet
  bool quarantined_ = false;
  bool draining_ = false;
  RingEnding ending_;
  SteadyTime over_since_{};  ///< of the ending
  NonceSource nonces_;
  std::uint64_t stuck_at_ = ~std::uint64_t{0};
  SteadyTime stuck_since_{};
  SteadyTime pinned_since_{};     ///< producers wait for a pin
  SteadyTime pinned_by_since_{};  ///< for one of `pinned_by_`
  std::uint64_t pinned_at_ = 0;   ///< its pin
};

}  // namespace ringway::daemon
