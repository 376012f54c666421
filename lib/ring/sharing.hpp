#pragma once

// How an exclusive producer becomes a shared one, so that others may claim beside it.
//
//   owner (writer.hpp)                     supervisor
//   word = {P, trying}        INTENT       share_wanted = 1
//   share_wanted?                          barrier: a full fence here and in every producer
//     0: tail = next          CLAIM        s = word
//        word = {P, owned}    OWN          over when s is not `trying`, or word is no longer s,
//     1: mode = shared        SHARED         or mode is `shared`
//        tail.CAS, from now on
//
// INTENT and the look at share_wanted are a store-load pair against share_wanted and the look at
// word (Dekker), the barrier being the fence of both: a claim whose intent does not show behind the
// barrier will see share_wanted, and one whose intent shows is awaited. So an owner that claims
// nothing for hours is in nobody's way; only one that stands still between INTENT and OWN is.
// Without a barrier nothing is known until the owner has stored SHARED, which it does with its next
// claim. One that is killed there is repaired like any other; one that is stopped there is fenced
// by another ring (retire.hpp), since nothing the supervisor stores to tail would last.
//
//   edge    release end             acquire end   publishes
//   OWN     owner: word             over: word    that its last store to tail is done
//   SHARED  owner: mode             over: mode    the same

#include <atomic>
#include <cstdint>

#include "layout/session.hpp"

namespace ringway::ring {

/// The supervisor's way to end one producer's exclusive claims in one partition. share_wanted stays
/// set until nobody has that slot any more. View and slot outlive it; every prefix of it may be
/// repeated, by another supervisor too.
template <class View, class Slot>
class Sharing {
 public:
  Sharing(View view, const Slot& slot) noexcept : view_(view), slot_(&slot) {}

  /// Asks for it. A barrier in the owner's process comes next, where there is one.
  void want() noexcept {
    view_.share_wanted().store(1, std::memory_order::relaxed);  // relaxed: the barrier orders it
  }

  /// Only behind a barrier that came after want().
  void barrier_passed() noexcept {
    if (fenced_) return;
    in_flight_ = slot_->word.load(std::memory_order::acquire);  // INTENT, OWN, IDLE
    fenced_ = true;
  }

  /// Whether the owner will store to tail no more: others may claim, and tail may be closed.
  bool over() const noexcept {
    if (slot_->mode.load(std::memory_order::acquire) ==  // SHARED
        static_cast<std::uint32_t>(layout::ClaimMode::shared)) {
      return true;
    }
    if (!fenced_) return false;
    return layout::intent_state(in_flight_) != layout::Intent::trying ||
           slot_->word.load(std::memory_order::acquire) != in_flight_;  // OWN, IDLE
  }

 private:
  View view_;
  const Slot* slot_;
  bool fenced_ = false;
  std::uint64_t in_flight_ = 0;  // word, right behind the barrier
};

}  // namespace ringway::ring
