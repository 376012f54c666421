#pragma once

// Ends a ring, so that the partition can go on in another one, also while a producer stands still
// in mid-claim. Supervisor only, serialised with publish_limit and repair of the same partition;
// every prefix of it may be repeated by a supervisor that died on the way.
//
//   close()   no claim succeeds any more; the others finish theirs, the dead are repaired
//   retire()  the end is stored (everything below it is settled), RETIRE, barrier
//   decide()  each claim between end and tail: stamped, and it stands; not stamped, and it is void
//   carry_over.hpp: what stands goes to the start of the next ring, the void claims as skips
//
//   edge     release end                  acquire end              publishes
//   RETIRE   retired = deciding, barrier  writer, reader: retired  the end
//   VERDICT  retired = decided            Writer::verdict          the void claims
//   COMMIT   writer: stamp                stamp (acquire)          that the claim stands
//
// RETIRE and COMMIT are a store-load pair on both sides (Dekker): a producer that stamps looks at
// `retired` afterwards, and the barrier between storing that and looking for the stamp makes sure
// that one sees the other. Where both do, the producer waits and learns that its claim stands. The
// barrier must reach the producer's process; one that it does not reach cannot be fenced.
//
// Whoever wakes up later writes into bytes that nobody reads again, and is told at its commit.
//
// An exclusive producer is asked to share first (sharing.hpp). One that stands still between INTENT
// and OWN may yet store its claim to tail, over the closed mark. Its claim is decided whether it is
// in tail or not: P and length are in its slot, nobody else claims at P, and carry_over.hpp takes
// the end from the last void claim where tail does not have it. That its word still says `trying`
// at P behind RETIRE's barrier means that OWN comes behind the barrier, and so does its look at
// `retired`: it is told, and closes tail again before it can claim anything else.

#include <cstddef>
#include <cstdint>
#include <span>

#include "ring/repair.hpp"

namespace ringway::ring {

/// Refuses every claim from now on. The word that a producer compares has changed with it.
template <class View>
void close(const View& view) noexcept {
  view.tail().fetch_or(layout::TailCodec::kClosed, std::memory_order::acq_rel);  // CLAIM
}

/// Takes close() and retire() back; not after decide() has decided.
template <class View>
void reopen(const View& view) noexcept {
  view.retired().store(static_cast<std::uint32_t>(layout::Retired::no),
                       std::memory_order::release);  // VERDICT: all claims stand
  view.tail().fetch_and(~layout::TailCodec::kClosed, std::memory_order::acq_rel);  // CLAIM
}

/// `end`: everything below it is settled. `barrier()` is a full fence here and in every producer.
template <class View, class Barrier>
void retire(const View& view, Place end, Barrier&& barrier) noexcept {
  // Relaxed: RETIRE orders them.
  view.end_position().store(end.position, std::memory_order::relaxed);
  view.end_offset().store(end.offset, std::memory_order::relaxed);
  view.retired().store(static_cast<std::uint32_t>(layout::Retired::deciding),
                       std::memory_order::seq_cst);  // RETIRE
  barrier();
}

enum class Decision : unsigned char {
  decided,
  again,      ///< others moved meanwhile: call again
  nobody,     ///< no slot explains a claim: call again; for good only where slots were spoiled
  unreached,  ///< the barrier does not reach the process that stands still: it can only be killed
  too_many,   ///< more claims are open than the board can take down
  corrupt,    ///< tail or a record cannot be followed
};

/// One attempt to decide every claim of a ring that is closed and being retired. `culprit` is the
/// claimant that `unreached` speaks of. `on_void(entry, claimant)` once for each void claim, before
/// anybody learns of it.
template <class View, class Slot, class OnVoid>
Decision decide(const View& view, std::span<const Claimant<Slot>> claimants,
                std::span<Intention> snapshot, std::size_t& culprit, OnVoid&& on_void) noexcept {
  layout::Tail tail = view.codec().unpack(view.tail().load(std::memory_order::acquire));
  // The slots before the stamps: an intent that is gone by now left a stamp.
  for (std::size_t i = 0; i < claimants.size(); ++i) {
    if (!read_intention(*claimants[i].slot, snapshot[i])) return Decision::again;
  }
  for (std::size_t i = 0; i < claimants.size(); ++i) {
    if (!claimants[i].stores || snapshot[i].state() != layout::Intent::trying ||
        snapshot[i].position() != tail.position) {
      continue;
    }
    // Nobody knows whether it will store its claim to tail: decided as if it had.
    tail = {true, tail.position + snapshot[i].bytes(), tail.offset_low + snapshot[i].offsets()};
    break;
  }
  // Relaxed: own, or of a supervisor that is dead.
  Place place{view.end_position().load(std::memory_order::relaxed),
              view.end_offset().load(std::memory_order::relaxed)};
  if (tail.position < place.position ||
      tail.position > view.announced().load(std::memory_order::relaxed)) {
    return Decision::corrupt;
  }
  std::uint32_t count = 0;
  layout::RecordHeader header;
  while (place.position < tail.position) {
    const Found found = peek(view, place.position, header);
    if (found == Found::corrupt) return Decision::corrupt;
    if (found == Found::record) {
      place.pass(header);
      continue;
    }
    const OpenClaim open =
        open_claim_at(view, std::span<const Intention>(snapshot), tail, place.position);
    if (open.said == OpenClaim::Said::nobody) return Decision::nobody;
    if (open.said == OpenClaim::Said::unclear) return Decision::again;
    std::size_t owner = claimants.size();
    for (std::size_t i = 0; i < claimants.size(); ++i) {
      if (!snapshot[i].active() || snapshot[i].position() != place.position) continue;
      if (claimants[i].slot->word.load(std::memory_order::acquire) != snapshot[i].word) {
        return Decision::again;
      }
      if (snapshot[i].bytes() != open.bytes || snapshot[i].offsets() != open.offsets) continue;
      owner = i;
      if (!claimants[i].dead && !claimants[i].reached) {
        culprit = i;
        return Decision::unreached;
      }
    }
    if (count == layout::kVoidClaims) return Decision::too_many;
    auto& entry = view.void_claim(count++);
    // Relaxed throughout: VERDICT orders them.
    entry.position.store(place.position, std::memory_order::relaxed);
    entry.bytes.store(open.bytes, std::memory_order::relaxed);
    entry.offset.store(place.offset, std::memory_order::relaxed);
    entry.offsets.store(static_cast<std::uint32_t>(open.offsets), std::memory_order::relaxed);
    on_void(entry, owner);
    place.position += open.bytes;
    place.offset += open.offsets;
  }
  if (place.position != tail.position) return Decision::corrupt;
  view.void_claims().store(count, std::memory_order::relaxed);
  view.retired().store(static_cast<std::uint32_t>(layout::Retired::decided),
                       std::memory_order::release);  // VERDICT
  return Decision::decided;
}

/// The ring is in quarantine: whatever is not settled by now is void. After retire().
template <class View>
void give_up(const View& view) noexcept {
  view.retired().store(static_cast<std::uint32_t>(layout::Retired::spoiled),
                       std::memory_order::release);  // VERDICT
}

}  // namespace ringway::ring
