#pragma once

// How far a partition is settled, without a look at any record. Supervisor only.
//
// Who claimed at P below tail wrote its intent {P} before and stamps P before its slot says
// anything else. So where tail is loaded first and then every slot, a claim below tail either shows
// in a slot or is stamped, also when its owner is dead and not repaired yet, and everything below
// the lowest place that a slot speaks of and that is not stamped is settled. Such a place was tail
// once: a true boundary, whose offset stands in the slot.
//
//   edge     release end          acquire end       publishes
//   CLAIM    writer: tail.CAS     tail.load         intents of all claims below tail
//   INTENT   writer: slot.word    word, tail, word  slot.tail: the offset at that place
//   IDLE     writer: slot.word    slot.word         the stamp of the finished claim
//   COMMIT   writer: stamp        stamp (acquire)   that the claim is settled

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "layout/session.hpp"
#include "ring/repair.hpp"
#include "ring/scan.hpp"

namespace ringway::ring {

/// The place from which on not everything is settled, at or behind `from`, which is one below which
/// everything is. `claimants`: all who may have claimed at or behind it. Nothing when a slot moves
/// all the time, or says what no honest one does: the stamps tell.
template <class View, class Slot>
std::optional<Place> settled(const View& view, std::span<const Claimant<Slot>> claimants,
                             Place from) noexcept {
  constexpr int kLooks = 8;
  // 1. tail before the slots, 2. each slot before the stamp of what it speaks of.
  layout::Tail end = view.codec().unpack(view.tail().load(std::memory_order::acquire));  // CLAIM
  // Relaxed: only this thread writes limit.
  if (end.position > view.limit().load(std::memory_order::relaxed)) return {};
  for (const Claimant<Slot>& claimant : claimants) {
    Intention intention;
    int looks = 0;
    while (!read_intention(*claimant.slot, intention)) {
      if (++looks == kLooks) return {};
    }
    const std::uint64_t position = intention.position();
    if (!intention.active() || position < from.position || position >= end.position) continue;
    if (view.stamp(position).load(std::memory_order::acquire) ==  // COMMIT
        current_stamp(view, position)) {
      continue;  // finished by its owner, or this one has lost it
    }
    end = view.codec().unpack(intention.tail);
    if (end.position != position) return {};
  }
  if (end.position < from.position) return {};
  const Place place{end.position, view.codec().full_offset(end.offset_low, from.offset)};
  // A record takes a unit at least.
  if (place.offset - from.offset > (place.position - from.position) / layout::kUnitBytes) return {};
  return place;
}

}  // namespace ringway::ring
