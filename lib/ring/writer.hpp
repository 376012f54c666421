#pragma once

// Claim, commit, abort: the producer's side of a partition.
//
//   edge     release end                  acquire end          publishes
//   CLAIM    tail.CAS (acq_rel), or the   tail.load (acquire)  the intent and all before it
//            exclusive owner's store
//   RECLAIM  publish_limit: limit         limit.load           read space, anchor, nonces
//   INTENT   slot.word = trying           repair: slot.word    slot.length, slot.tail
//   OWN      slot.word = owned, inner     repair: slot.word,   whose the claim is
//            stamps                       stamp
//   COMMIT   stamp                        reader: stamp        the record's bytes
//   IDLE     slot.word = 0                repair: slot.word    the stamp
//   RETIRE   retire: retired, barrier     commit: retired      that the stamp may come too late
//   VERDICT  retire: retired              verdict(): retired   which claims are void
//   SHARED   slot.mode                    sharing: slot.mode   that no store to tail follows
//
// kill -9 stops a process between two instructions, so program order counts as well as memory
// order: a signal fence stands where the compiler must not move a store over a later one.

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "layout/record.hpp"
#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ringway/status.hpp"

namespace ringway::ring {

/// A won claim. `position` is where the caller's first record goes; `first` is where the claim
/// starts, which lies before it when filler had to bring the record past the end of a data area
/// that is mapped once.
struct Claimed {
  Status status;  ///< ok | back_pressured | closed | quarantined
  std::uint64_t first;
  std::uint64_t position;
  std::uint64_t bytes;   ///< from `first`
  std::uint64_t offset;  ///< of the first record
};

/// What became of a claim that was committed into a ring being retired.
enum class Verdict : unsigned char {
  pending,   ///< not decided yet: ask again
  accepted,  ///< it stands
  voided,    ///< it was taken from this producer, which had stood still: nobody sees it
};

/// One producer handle on one partition. One thread at a time. Owns nothing: view and slot outlive
/// it. A crash at any instruction costs at most the claim in flight, which repair turns into a
/// skip.
template <class View, class Slot>
class Writer {
 public:
  Writer(View view, Slot& slot) noexcept
      : view_(view),
        slot_(&slot),
        // Relaxed: the message that gave the slot away brought it.
        exclusive_(slot.mode.load(std::memory_order::relaxed) ==
                   static_cast<std::uint32_t>(layout::ClaimMode::exclusive)) {}

  /// Takes space for `bytes` (a multiple of the unit, at most claim_bytes_max) and `offsets` record
  /// numbers. At most one claim may be open.
  [[gnu::always_inline]] Claimed try_claim(std::uint64_t bytes, std::uint32_t offsets) noexcept {
    const View& view = view_;
    Slot& slot = *slot_;
    for (;;) {
      const std::uint64_t word = view.tail().load(std::memory_order::acquire);  // CLAIM
      layout::Tail tail = view.codec().unpack(word);
      if (tail.closed) [[unlikely]]
        return refuse(Status::closed);
      const std::uint64_t filler = filler_bytes(view, tail.position, bytes);
      const std::uint64_t end = tail.position + filler + bytes;
      if (limit_ < end) [[unlikely]] {
        limit_ = view.limit().load(std::memory_order::acquire);  // RECLAIM
        // Relaxed: RECLAIM orders it. It may be newer than the limit; tail is never behind it.
        anchor_ = view.anchor().load(std::memory_order::relaxed);
        if (limit_ < end || end > view.codec().position_end()) {
          return refuse(Status::back_pressured);
        }
      }
      if (tail.position + view.ring_bytes() < limit_) [[unlikely]] {
        // Older than a whole ring: a stale load, or somebody wrote nonsense into tail.
        if (view.tail().load(std::memory_order::acquire) != word) continue;
        return refuse(Status::quarantined);
      }
      // A reader that waits looks at the first of them: it comes while tail is moved, not after.
      for (std::uint64_t at = 0; at < kAskedBytes; at += kLineBytes) {
        view.ask_for(tail.position + filler + at);
      }
      announce(slot, word, tail.position, layout::pack_length(filler + bytes, offsets));
      layout::Tail next{false, end, tail.offset_low + offsets};
      if (move_tail(view, word, view.codec().pack(next))) [[likely]] {
        slot.word.store(layout::pack_intent(tail.position, layout::Intent::owned),
                        std::memory_order::release);  // OWN
        // No store of the record may move above OWN (repair believes an unowned claim is empty),
        // nor be seen without the `announced` behind RECLAIM (Reader::still_there).
        View::write_fence();
        ++won_;
        return {Status::ok, tail.position, tail.position + filler, filler + bytes,
                view.codec().full_offset(tail.offset_low, anchor_)};
      }
      slot.word.store(0, std::memory_order::release);  // before length and tail change under it
      if (won_ >= kRun) let_others_claim(tail.position);
    }
  }

  /// Stamps a record of the claim that is not its first. Call before commit().
  void stamp_inner(std::uint64_t position) noexcept {
    // Released, for repair: it may look here for a boundary, and must then see OWN. Readers get
    // here only over the first stamp.
    view_.stamp(position).store(current_stamp(view_, position), std::memory_order::release);  // OWN
  }

  /// Publishes the claim: headers and bodies are written, inner records stamped. False: the ring is
  /// being retired, and only verdict() tells whether the claim stands.
  bool commit(const Claimed& claim) noexcept {
    if (claim.position != claim.first) {
      view_.store_header(claim.first, layout::skip_header(claim.position - claim.first, 0));
      stamp_inner(claim.position);
    }
    return publish(claim.first);
  }

  /// After commit() returned false.
  Verdict verdict(const Claimed& claim) const noexcept {
    switch (static_cast<layout::Retired>(view_.retired().load(std::memory_order::acquire))) {
      case layout::Retired::deciding:  // ^ VERDICT
        return Verdict::pending;
      case layout::Retired::decided: {
        // Relaxed throughout: VERDICT orders them, and they do not change any more.
        const std::uint32_t count =
            std::min(view_.void_claims().load(std::memory_order::relaxed), layout::kVoidClaims);
        for (std::uint32_t i = 0; i < count; ++i) {
          if (view_.void_claim(i).position.load(std::memory_order::relaxed) == claim.first) {
            return Verdict::voided;
          }
        }
        return Verdict::accepted;
      }
      case layout::Retired::spoiled:
        return claim.first >= view_.end_position().load(std::memory_order::relaxed)
                   ? Verdict::voided
                   : Verdict::accepted;
      case layout::Retired::no:  // it was not retired after all
        break;
    }
    return Verdict::accepted;
  }

  /// Gives the claim up: its offsets are used and skipped by every reader.
  void abort(const Claimed& claim, std::uint32_t offsets) noexcept {
    view_.store_header(claim.first, layout::skip_header(claim.bytes, offsets));
    static_cast<void>(publish(claim.first));
  }

  /// Whether the next claim may go without compare-and-swap.
  bool exclusive() const noexcept {
    return exclusive_ && view_.share_wanted().load(std::memory_order::relaxed) == 0;  // a hint
  }

  /// Between claims: the owner that is wanted to share says so, without waiting for its next claim
  /// here. Only where no barrier can see that it claims nothing does anybody depend on it.
  void give_way() noexcept {
    if (!exclusive_ || view_.share_wanted().load(std::memory_order::relaxed) == 0)
      return;  // a hint
    exclusive_ = false;
    slot_->mode.store(static_cast<std::uint32_t>(layout::ClaimMode::shared),
                      std::memory_order::release);  // SHARED
  }

  const View& view() const noexcept { return view_; }

 private:
  static constexpr std::uint64_t kLineBytes = 64;
  static constexpr std::uint64_t kAskedBytes = 2 * kLineBytes;  // of a claim, before it is won

  // Who loses a claim after so many that it won stands aside for so long: some microseconds on
  // x86-64, in which another claims as often.
  static constexpr std::uint32_t kRun = 32;
  static constexpr int kAside = 100;
  // Whose part of what was claimed meanwhile is smaller than this claims now and then.
  static constexpr std::uint64_t kShare = 64;

  /// Two who claim in a stream do it by turns, and each claim costs what tail takes from one core
  /// to the other and back; so one of them stands aside, and the other has a run of claims. Who
  /// claims now and then, beside such a stream, stands aside for nobody.
  [[gnu::noinline, gnu::cold]] void let_others_claim(std::uint64_t position) noexcept {
    const bool streams = position - run_from_ <= kShare * won_ * layout::length_bytes(length_);
    won_ = 0;
    run_from_ = position;
    if (!streams) return;
    for (int i = 0; i < kAside; ++i) View::relax();
  }

  static std::uint64_t filler_bytes(const View& view, std::uint64_t position,
                                    std::uint64_t bytes) noexcept {
    if (view.mapping() == Mapping::mirrored) [[likely]]
      return 0;
    const std::uint64_t left = view.ring_bytes() - (position & (view.ring_bytes() - 1));
    return bytes > left ? left : 0;
  }

  /// Tells repair what is about to be tried, before the CAS in program order. The word is 0 by now,
  /// but for the first claim on a slot that a dead producer left behind.
  void announce(Slot& slot, std::uint64_t tail, std::uint64_t position,
                std::uint64_t length) noexcept {
    if (length != length_) {
      slot.word.store(0, std::memory_order::release);
      slot.length.store(length, std::memory_order::release);
      length_ = length;
    }
    slot.tail.store(tail, std::memory_order::release);
    slot.word.store(layout::pack_intent(position, layout::Intent::trying),
                    std::memory_order::release);  // INTENT
  }

  /// Whether the claim that was announced is won.
  bool move_tail(const View& view, std::uint64_t from, std::uint64_t to) noexcept {
    if (exclusive_) {
      std::atomic_signal_fence(std::memory_order::seq_cst);  // the look only after INTENT
      // Relaxed: whoever wants to share puts a full fence into this process (sharing.hpp).
      if (view.share_wanted().load(std::memory_order::relaxed) == 0) [[likely]] {
        view.tail().store(to, std::memory_order::release);  // CLAIM
        return true;
      }
      give_way();
    }
    // Relaxed on failure: the loop loads tail again.
    return view.tail().compare_exchange_strong(from, to, std::memory_order::acq_rel,  // CLAIM
                                               std::memory_order::relaxed);
  }

  Claimed refuse(Status status) noexcept {
    slot_->word.store(0, std::memory_order::release);  // IDLE: nothing was claimed
    return {status, 0, 0, 0, 0};
  }

  /// Whether the ring goes on.
  bool publish(std::uint64_t first) noexcept {
    const View& view = view_;
    Slot& slot = *slot_;
    view.stamp(first).store(current_stamp(view, first), std::memory_order::release);  // COMMIT
    std::atomic_signal_fence(std::memory_order::seq_cst);  // IDLE only after the stamp
    slot.word.store(0, std::memory_order::release);        // IDLE
    std::atomic_signal_fence(std::memory_order::seq_cst);
    // After the stamp, as RETIRE's barrier makes sure: either we see that the ring is being
    // retired, or whoever retires it sees the stamp.
    if (view.retired().load(std::memory_order::acquire) ==  // RETIRE
        static_cast<std::uint32_t>(layout::Retired::no)) [[likely]] {
      return true;
    }
    // Retired while we stood between INTENT and OWN: our store may have opened a closed tail.
    if (exclusive_) {
      view.tail().fetch_or(layout::TailCodec::kClosed, std::memory_order::acq_rel);  // CLAIM
    }
    return false;
  }

  View view_;
  Slot* slot_;
  std::uint64_t limit_ = 0;                   // last limit seen; never ahead of the real one
  std::uint64_t anchor_ = 0;                  // as of limit_
  std::uint64_t length_ = ~std::uint64_t{0};  // what slot_->length holds
  bool exclusive_;                            // slot_->mode
  std::uint32_t won_ = 0;                     // claims since a claim was lost behind a run of them
  std::uint64_t run_from_ = 0;                // where that was
};

}  // namespace ringway::ring
