#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "layout/session.hpp"
#include "ring/repair.hpp"
#include "ring/retire.hpp"
#include "ring/settled.hpp"

namespace ringway::daemon {

/// Who may have a claim or a pin in one partition, as the flusher's thread knows it: open handles,
/// and released ones until their last claim is settled.
class PartitionHandles {
 public:
  /// Whose slot it is.
  struct Holder {
    std::uint64_t handle;
    std::uint32_t pid;
    std::uint32_t unexplained = 0;
  };

  /// One released handle that is settled now. `hole` is what was skipped for it.
  struct Settled {
    std::uint64_t handle;
    std::uint32_t pid;
    std::optional<ring::RepairOutcome> hole;
    bool hostile;
  };

  /// `reached`: by the barrier. A consumer that is there already gets another slot.
  void add(layout::Role role, std::uint64_t handle, std::uint32_t pid, const layout::Slot* slot,
           bool reached = false) {
    if (role == layout::Role::producer) {
      claimants_.push_back({slot, false, reached});
      producers_.push_back({handle, pid});
      return;
    }
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
      if (consumers_[i].handle == handle) {
        pins_[i] = slot;
        return;
      }
    }
    pins_.push_back(slot);
    consumers_.push_back({handle, pid});
  }

  /// Its process is dead or has closed it. True when nothing is left to settle.
  bool release(std::uint64_t handle) {
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
      if (consumers_[i].handle == handle) {
        consumers_.erase(consumers_.begin() + static_cast<std::ptrdiff_t>(i));
        pins_.erase(pins_.begin() + static_cast<std::ptrdiff_t>(i));
        return true;
      }
    }
    for (std::size_t i = 0; i < producers_.size(); ++i) {
      if (producers_[i].handle == handle) {
        claimants_[i].dead = true;
        ++unsettled_;
        return false;
      }
    }
    return true;
  }

  bool unsettled() const noexcept { return unsettled_ != 0; }

  /// One attempt for every released producer; `settled(Settled)` for each that is done.
  template <class OnSettled>
  void settle(const ring::PartitionView& view, OnSettled&& on_settled) {
    snapshot_.resize(claimants_.size());
    for (std::size_t i = 0; i < claimants_.size();) {
      if (!claimants_[i].dead) {
        ++i;
        continue;
      }
      const ring::RepairOutcome outcome = ring::repair<ring::PartitionView, layout::Slot>(
          view, claimants_, i, std::span(snapshot_).first(claimants_.size()));
      const bool spoiled = outcome.step == ring::RepairStep::nobody &&
                           ++producers_[i].unexplained >= kUnexplainedMax;
      if (outcome.step == ring::RepairStep::again ||
          (outcome.step == ring::RepairStep::nobody && !spoiled)) {
        ++i;
        continue;
      }
      Settled done{producers_[i].handle, producers_[i].pid, std::nullopt,
                   spoiled || outcome.step == ring::RepairStep::hostile};
      if (outcome.step == ring::RepairStep::finished) done.hole = outcome;
      claimants_.erase(claimants_.begin() + static_cast<std::ptrdiff_t>(i));
      producers_.erase(producers_.begin() + static_cast<std::ptrdiff_t>(i));
      --unsettled_;
      on_settled(done);
    }
  }

  /// ring::settled() over all producers.
  std::optional<ring::Place> settled_from(const ring::PartitionView& view,
                                          ring::Place from) const noexcept {
    return ring::settled<ring::PartitionView, layout::Slot>(view, claimants_, from);
  }

  std::size_t producer_count() const noexcept { return claimants_.size(); }

  /// Of those at or behind `from`; kNoPin where there is none.
  std::uint64_t lowest_pin(std::uint64_t from) const noexcept {
    std::uint64_t lowest = layout::kNoPin;
    for (std::size_t i = 0; i < pins_.size(); ++i) {
      if (const std::uint64_t at = pin(i); at >= from) lowest = std::min(lowest, at);
    }
    return lowest;
  }
  std::size_t pin_count() const noexcept { return pins_.size(); }
  std::uint64_t pin(std::size_t index) const noexcept {
    return pins_[index]->pin.load(std::memory_order::acquire);  // PIN, UNPIN
  }
  const Holder& pin_holder(std::size_t index) const noexcept { return consumers_[index]; }

  /// Whether any producer, dead or alive, says that it claimed or tries to claim `position`.
  bool claimed(std::uint64_t position) const noexcept {
    return std::ranges::any_of(claimants_, [&](const auto& claimant) {
      const std::uint64_t word = claimant.slot->word.load(std::memory_order::acquire);  // INTENT
      return layout::intent_state(word) != layout::Intent::idle &&
             layout::intent_position(word) == position;
    });
  }

  /// The live producer whose claim starts at `position`, if one says so; else one that tried.
  std::optional<Holder> claim_holder(std::uint64_t position) const noexcept {
    std::optional<Holder> tried;
    for (std::size_t i = 0; i < claimants_.size(); ++i) {
      const std::uint64_t word = claimants_[i].slot->word.load(std::memory_order::acquire);
      if (claimants_[i].dead || layout::intent_state(word) == layout::Intent::idle ||
          layout::intent_position(word) != position) {
        continue;
      }
      if (layout::intent_state(word) == layout::Intent::owned) return producers_[i];
      tried = producers_[i];
    }
    return tried;
  }

  /// What live producers have, or may have, open in [from, to); `owner` wherever it stands.
  struct Open {
    std::size_t claims = 0;
    bool one_place = true;            ///< all of them start at `from`
    std::optional<Holder> unreached;  ///< one that the barrier does not reach
    std::optional<Holder> first;
  };
  Open open_claims(std::uint64_t from, std::uint64_t to,
                   std::optional<std::uint64_t> owner = {}) const noexcept {
    Open open;
    for (std::size_t i = 0; i < claimants_.size(); ++i) {
      const std::uint64_t word = claimants_[i].slot->word.load(std::memory_order::acquire);
      const std::uint64_t position = layout::intent_position(word);
      const bool there =
          layout::intent_state(word) != layout::Intent::idle && position >= from && position < to;
      const bool stores = producers_[i].handle == owner;
      if (claimants_[i].dead || (!there && !stores)) continue;
      ++open.claims;
      open.one_place = open.one_place && (position == from || stores);
      if (!claimants_[i].reached) open.unreached = producers_[i];
      if (position == from || !open.first) open.first = producers_[i];
    }
    return open;
  }

  /// ring::decide() over all producers; `owner` may still store to tail.
  ring::Decision decide(const ring::PartitionView& view, std::optional<std::uint64_t> owner) {
    for (std::size_t i = 0; i < claimants_.size(); ++i) {
      claimants_[i].stores = producers_[i].handle == owner;
    }
    snapshot_.resize(claimants_.size());
    std::size_t culprit = 0;
    return ring::decide<ring::PartitionView, layout::Slot>(
        view, claimants_, std::span(snapshot_).first(claimants_.size()), culprit,
        [&](layout::VoidClaim& claim, std::size_t by) {
          // Relaxed: for people.
          claim.pid.store(by < producers_.size() ? producers_[by].pid : 0,
                          std::memory_order::relaxed);
        });
  }

 private:
  /// So many attempts in a row found no slot that explains a dead producer's claim: no race of
  /// honest rivals lasts as long, its slot was spoiled.
  static constexpr std::uint32_t kUnexplainedMax = 1000;

  // Parallel vectors: repair and publish_limit take spans of the first of each pair.
  std::vector<ring::Claimant<layout::Slot>> claimants_;
  std::vector<Holder> producers_;
  std::vector<const layout::Slot*> pins_;
  std::vector<Holder> consumers_;
  std::vector<ring::Intention> snapshot_;
  std::size_t unsettled_ = 0;
};

}  // namespace ringway::daemon
