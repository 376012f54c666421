#pragma once

// Finishes the claim of a dead producer. Supervisor only, serialised with publish_limit of the same
// partition; every prefix of it may be repeated by a supervisor that died on the way.
//
// An intent says only "I tried": two slots can name the same position with different lengths, and
// the winner may be alive. What decides is that every intent position was once the value of tail
// and so is a true boundary. The claim at P ends at the smallest P + length, among the intents at
// P, that is itself a boundary. Of two such claims of one length the offsets tell which it was: the
// tail word that each attempt started from says the offset at its position.
//
//   edge    release end                  acquire end         publishes
//   CLAIM   writer: tail.CAS             tail.load           intents of all claims below tail
//   INTENT  writer: slot.word            word, rest, word    slot.length, .tail: what was tried
//   IDLE    writer: slot.word            slot.word           the stamp of the finished claim
//   COMMIT  writer: stamp                stamp (acquire)     that the claim is settled

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway::ring {

/// A producer slot of the partition, as the supervisor knows it.
template <class Slot>
struct Claimant {
  const Slot* slot;
  bool dead;             ///< proven
  bool reached = false;  ///< by the barrier (ring/retire.hpp)
  bool stores = false;   ///< a claim that it tries may reach tail any time (ring/sharing.hpp)
};

/// What one slot said, read without tearing.
struct Intention {
  std::uint64_t word = 0;
  std::uint64_t length = 0;
  std::uint64_t tail = 0;

  std::uint64_t position() const noexcept { return layout::intent_position(word); }
  std::uint64_t bytes() const noexcept { return layout::length_bytes(length); }
  std::uint64_t offsets() const noexcept { return layout::length_offsets(length); }
  layout::Intent state() const noexcept { return layout::intent_state(word); }
  bool active() const noexcept { return state() != layout::Intent::idle; }
};

enum class RepairStep : unsigned char {
  freed,     ///< nothing of the victim is in the ring any more: its slot may be given away
  finished,  ///< a skip was written over its claim, and its slot may be given away
  again,     ///< others moved meanwhile, or a live rival must move first: call again
  nobody,    ///< no slot explains the claim: call again; for good only where slots were spoiled
  hostile,   ///< the slot's content is impossible; it is freed and to be reported
};

struct RepairOutcome {
  RepairStep step;
  std::uint64_t position = 0;  ///< finished: the hole
  std::uint64_t bytes = 0;
  std::uint64_t offsets = 0;
};

/// False when the slot moved under the reader.
template <class Slot>
bool read_intention(const Slot& slot, Intention& into) noexcept {
  into.word = slot.word.load(std::memory_order::acquire);      // INTENT, IDLE
  into.length = slot.length.load(std::memory_order::acquire);  // INTENT
  into.tail = slot.tail.load(std::memory_order::acquire);      // INTENT
  return slot.word.load(std::memory_order::acquire) == into.word;
}

/// Writes a skip over a claim that nobody will finish. Idempotent.
template <class View>
void skip_claim(const View& view, std::uint64_t position, std::uint64_t bytes,
                std::uint64_t offsets) noexcept {
  view.store_header(position, layout::skip_header(bytes, offsets));
  view.stamp(position).store(current_stamp(view, position), std::memory_order::release);  // COMMIT
}

/// Low bits of the offset at the boundary `at`: tail says it, or who claims there, or else what was
/// committed there leads on to the next such place.
template <class View>
std::optional<std::uint64_t> offset_at(const View& view, std::span<const Intention> snapshot,
                                       const layout::Tail& tail, std::uint64_t at) noexcept {
  std::uint64_t passed = 0;
  layout::RecordHeader header;
  while (at < tail.position) {
    for (const Intention& intention : snapshot) {
      if (intention.active() && intention.position() == at) {
        return view.codec().unpack(intention.tail).offset_low - passed;
      }
    }
    if (peek(view, at, header) != Found::record) return {};
    at += layout::record_bytes(header);
    passed += layout::record_offsets(header);
  }
  if (at > tail.position) return {};
  return tail.offset_low - passed;
}

/// What the slots say of the claim at a position below tail that is not stamped.
struct OpenClaim {
  enum class Said : unsigned char { known, unclear, nobody };
  Said said;
  std::uint64_t bytes = 0;    ///< also when only the offsets are unclear
  std::uint64_t offsets = 0;  ///< known only
};

/// Whether a slot's words can be a claim at `position` at all.
template <class View>
bool possible(const View& view, const Intention& intention, std::uint64_t position,
              const layout::Tail& tail) noexcept {
  return intention.bytes() >= layout::kUnitBytes && intention.bytes() <= view.ring_bytes() / 2 &&
         intention.bytes() <= tail.position - position &&
         intention.offsets() <= intention.bytes() / layout::kUnitBytes;
}

/// Who owns it says so; else the boundary rule tells which of those who tried has won. Stamps are
/// looked at after the slots.
template <class View>
OpenClaim open_claim_at(const View& view, std::span<const Intention> snapshot,
                        const layout::Tail& tail, std::uint64_t position) noexcept {
  using Said = OpenClaim::Said;
  const auto here = [&](const Intention& intention) {
    return intention.active() && intention.position() == position &&
           possible(view, intention, position, tail);
  };
  for (const Intention& intention : snapshot) {
    if (here(intention) && intention.state() == layout::Intent::owned) {
      return {Said::known, intention.bytes(), intention.offsets()};
    }
  }
  const auto boundary = [&](std::uint64_t at) {
    if (at == tail.position) return true;
    if (at < tail.position && view.stamp(at).load(std::memory_order::acquire) ==  // COMMIT
                                  current_stamp(view, at)) {
      return true;
    }
    for (const Intention& intention : snapshot) {
      if (intention.active() && intention.position() == at) return true;
    }
    return false;
  };
  const Intention* shortest = nullptr;
  for (const Intention& intention : snapshot) {
    if (here(intention) && (shortest == nullptr || intention.bytes() < shortest->bytes()) &&
        boundary(position + intention.bytes())) {
      shortest = &intention;
    }
  }
  if (shortest == nullptr) return {Said::nobody};
  for (const Intention& intention : snapshot) {
    if (!here(intention) || intention.bytes() != shortest->bytes() ||
        intention.offsets() == shortest->offsets()) {
      continue;
    }
    // Of one length, but not of as many offsets: those of the winner lie between here and the next
    // place whose offset is known.
    const auto after = offset_at(view, snapshot, tail, position + shortest->bytes());
    if (!after) return {Said::unclear, shortest->bytes()};
    const std::uint64_t before = view.codec().unpack(shortest->tail).offset_low;
    return {Said::known, shortest->bytes(), (*after - before) & view.codec().offset_mask()};
  }
  return {Said::known, shortest->bytes(), shortest->offsets()};
}

/// One attempt to settle what claimants[victim], proven dead, left behind. `snapshot` is scratch
/// space of the same size as `claimants`.
template <class View, class Slot>
RepairOutcome repair(const View& view, std::span<const Claimant<Slot>> claimants,
                     std::size_t victim, std::span<Intention> snapshot) noexcept {
  // 1. tail before the slots: who claimed below it has its intent, or a later one, in its slot.
  const layout::Tail tail =
      view.codec().unpack(view.tail().load(std::memory_order::acquire));  // CLAIM
  // 2. the slots before the stamps: an intent that is gone by now left a stamp.
  for (std::size_t i = 0; i < claimants.size(); ++i) {
    if (!read_intention(*claimants[i].slot, snapshot[i])) return {RepairStep::again};
  }
  const Intention mine = snapshot[victim];
  const std::uint64_t position = mine.position();
  if (!mine.active() || position >= tail.position) {
    return {RepairStep::freed};  // its CAS never happened
  }
  // Relaxed: only this thread writes limit.
  if (position + view.ring_bytes() < view.limit().load(std::memory_order::relaxed) ||
      view.stamp(position).load(std::memory_order::acquire) ==  // COMMIT
          current_stamp(view, position)) {
    return {RepairStep::freed};  // finished by its owner
  }
  const auto finish = [&]() -> RepairOutcome {
    skip_claim(view, position, mine.bytes(), mine.offsets());
    return {RepairStep::finished, position, mine.bytes(), mine.offsets()};
  };
  if (mine.state() == layout::Intent::owned) {
    if (!possible(view, mine, position, tail)) return {RepairStep::hostile};
    return finish();
  }

  // The victim only tried. Who won?
  const auto rival = [&](std::size_t i) {
    return snapshot[i].active() && snapshot[i].position() == position;
  };
  for (std::size_t i = 0; i < snapshot.size(); ++i) {
    if (i != victim && rival(i) && snapshot[i].state() == layout::Intent::owned) {
      return {RepairStep::freed};  // somebody else owns it
    }
  }
  const OpenClaim open = open_claim_at(view, std::span<const Intention>(snapshot), tail, position);
  if (open.said == OpenClaim::Said::nobody) return {RepairStep::nobody};
  // 4. whatever was concluded from the rivals still holds.
  for (std::size_t i = 0; i < claimants.size(); ++i) {
    if (rival(i) && claimants[i].slot->word.load(std::memory_order::acquire) != snapshot[i].word) {
      return {RepairStep::again};
    }
  }
  if (open.bytes != mine.bytes()) return {RepairStep::freed};  // the victim lost
  if (open.said == OpenClaim::Said::unclear) return {RepairStep::again};
  if (open.offsets != mine.offsets()) return {RepairStep::freed};  // likewise
  for (std::size_t i = 0; i < claimants.size(); ++i) {
    if (i != victim && rival(i) && !claimants[i].dead && snapshot[i].length == mine.length) {
      return {RepairStep::again};  // a live rival with the same claim will say whose it is
    }
  }
  return finish();
}

}  // namespace ringway::ring
