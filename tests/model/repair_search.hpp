#pragma once

// All states that writers and repair on a cell ring can reach, each producer killed before any
// store, the supervisor killed in mid-repair; and what must hold in each of them.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "model/cell_ring.hpp"

namespace ringway::ring::interleaving {

enum class Settled : std::uint8_t { unclaimed, open, committed, skipped };

/// What a claim that starts at a unit really is.
struct Truth {
  std::uint8_t owner, units, offsets;
  Settled settled;
};

/// Operations that nobody can tell from the one before. Headers are looked at under a stamp only,
/// which follows. length and tail are stored while the word is 0, which is checked, and decide
/// nothing then; while it is not 0 they stand still.
constexpr bool is_silent(const Operation& operation) {
  return (operation.kind == Operation::load || operation.kind == Operation::store) &&
         (is_header(operation.cell) || is_rest(operation.cell));
}

/// Memory by the numbers of its values, where each program stands, and the truth. No padding.
struct State {
  std::array<std::uint32_t, kProducersMax> at;
  std::uint32_t repair_at;
  std::array<std::uint8_t, kCells> memory;
  std::array<Truth, kUnits> truth;
  std::uint8_t repairing;  ///< victim + 1, 0: the supervisor is idle
  std::uint8_t told_dead;  ///< to the repair under way
  std::uint8_t dead, freed;
  std::uint8_t undisturbed;  ///< nobody else could move when the repair began
  std::uint8_t reserved;
};
static_assert(std::has_unique_object_representations_v<State>);

/// Hashes of states, open addressing. Two states of one hash would hide one of them: 1 in 10^5 for
/// ten million states.
class Seen {
 public:
  bool insert(std::uint64_t hash) {
    if (hash == 0) hash = 1;
    if (2 * size_ >= places_.size()) grow();
    return put(hash);
  }
  std::size_t size() const { return size_; }

 private:
  bool put(std::uint64_t hash) {
    std::size_t i = hash & (places_.size() - 1);
    while (places_[i] != 0 && places_[i] != hash) i = (i + 1) & (places_.size() - 1);
    if (places_[i] == hash) return false;
    places_[i] = hash;
    ++size_;
    return true;
  }
  void grow() {
    std::vector<std::uint64_t> old(2 * places_.size());
    old.swap(places_);
    size_ = 0;
    for (const std::uint64_t hash : old) {
      if (hash != 0) put(hash);
    }
  }
  std::vector<std::uint64_t> places_ = std::vector<std::uint64_t>(1 << 16);
  std::size_t size_ = 0;
};

class Search {
 public:
  Search(unsigned producers, unsigned count, Claims claims, std::size_t states_max)
      : producers_(producers), claims_(std::move(claims)), states_max_(states_max) {
    for (unsigned i = 0; i < producers; ++i) {
      programs_.push_back(
          std::make_unique<Program>([this, i, count] { return produce(i, count, claims_); }));
    }
    repairs_.resize(kProducersMax << kProducersMax);
    number(0);
  }

  /// Where a store does not happen, for mutations.
  std::function<bool(const Operation&)> dropped = [](const Operation&) { return false; };

  /// Empty, or what went wrong and the way to it.
  std::string violation() {
    State start{};
    visit(start);
    return violation_;
  }
  std::size_t states() const { return seen_.size(); }
  bool complete() const { return seen_.size() < states_max_; }

 private:
  std::uint8_t number(std::uint64_t value) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i] == value) return static_cast<std::uint8_t>(i);
    }
    if (values_.size() == 256) std::abort();
    values_.push_back(value);
    return static_cast<std::uint8_t>(values_.size() - 1);
  }

  bool fail(const std::string& what) {
    if (!violation_.empty()) return false;
    violation_ = what + ":";
    for (const std::string& step : trace_) violation_ += "\n  " + step;
    return false;
  }

  bool visit(const State& state) {
    const std::string_view bytes(reinterpret_cast<const char*>(&state), sizeof state);
    if (seen_.size() >= states_max_ || !seen_.insert(std::hash<std::string_view>()(bytes)))
      return true;
    for (unsigned i = 0; i < producers_; ++i) {
      const Operation operation = programs_[i]->at(state.at[i]);
      if (operation.kind != Operation::choose || (state.dead >> i & 1) != 0) continue;
      // What a producer is about to do concerns nobody yet: no need to mix it with other moves.
      for (std::uint64_t way = 0; way < operation.value; ++way) {
        if (!step(describe(i, operation, way), state,
                  [&](State& next) { return advance(next, *programs_[i], next.at[i], i, way); })) {
          return false;
        }
      }
      return true;
    }
    for (unsigned i = 0; i < producers_; ++i) {
      const Operation operation = programs_[i]->at(state.at[i]);
      if ((state.dead >> i & 1) != 0 || operation.kind == Operation::done) continue;
      // Killed before a load is killed after it.
      if (operation.kind != Operation::load &&
          !step("kill " + std::to_string(i), state, [&](State& next) {
            next.dead |= static_cast<std::uint8_t>(1u << i);
            next.at[i] = 0;  // nothing depends on it any more
            return true;
          })) {
        return false;
      }
      if (!step(describe(i, operation, 0), state, [&](State& next) {
            std::uint64_t result = 0;
            return apply(next, operation, i, result) &&
                   advance(next, *programs_[i], next.at[i], i, result);
          })) {
        return false;
      }
    }
    return state.repairing == 0 ? start_repair(state) : go_on_repairing(state);
  }

  /// A load of what will not change any more, so that it does not matter when it is made: the word
  /// of a producer that is dead or done, a stamp that was set.
  bool is_settled(const State& state, const Operation& operation) const {
    if (operation.kind != Operation::load) return false;
    if (is_stamp(operation.cell)) return values_[state.memory[operation.cell]] != 0;
    if (!is_slot(operation.cell)) return false;
    const unsigned producer = (operation.cell - kSlots) / 3u;
    return producer >= producers_ || is_still(state, producer);
  }

  bool is_still(const State& state, unsigned producer) const {
    return (state.dead >> producer & 1) != 0 ||
           programs_[producer]->at(state.at[producer]).kind == Operation::done;
  }

  /// To the next operation that others can tell.
  bool advance(State& state, Program& program, std::uint32_t& at, unsigned thread,
               std::uint64_t result) {
    at = program.after(at, result);
    std::uint8_t last = kTail;
    for (;;) {
      const Operation operation = program.at(at);
      // Had the word changed when it is read again, repair would return and have done nothing.
      const bool again =
          operation.kind == Operation::load && is_rest(last) && operation.cell == word_of(last);
      const bool settled = thread == kProducersMax && is_settled(state, operation);
      if (!is_silent(operation) && !again && !settled) return true;
      if (!apply(state, operation, thread, result)) return false;
      at = program.after(at, result);
      last = operation.cell;
    }
  }

  template <class Change>
  bool step(const std::string& what, const State& state, Change&& change) {
    State next = state;
    trace_.push_back(what);
    const bool fine = change(next) && visit(next);
    trace_.pop_back();
    return fine;
  }

  bool start_repair(const State& state) {
    for (unsigned victim = 0; victim < producers_; ++victim) {
      if ((state.dead >> victim & 1) == 0 || (state.freed >> victim & 1) != 0) continue;
      if (!step("repair " + std::to_string(victim), state, [&](State& next) {
            next.repairing = static_cast<std::uint8_t>(victim + 1);
            next.told_dead = state.dead;
            next.undisturbed = quiet(state);
            next.repair_at = 0;
            return true;
          })) {
        return false;
      }
    }
    return true;
  }

  bool go_on_repairing(const State& state) {
    const unsigned victim = state.repairing - 1u;
    auto& program = repairs_[victim << kProducersMax | state.told_dead];
    if (!program) {
      program = std::make_unique<Program>(
          [producers = producers_, victim, dead = unsigned{state.told_dead}] {
            return repair_once(producers, victim, dead);
          });
    }
    const Operation operation = program->at(state.repair_at);
    const auto idle = [](State& next) {
      next.repairing = next.told_dead = next.undisturbed = 0;
      next.repair_at = 0;
      return true;
    };
    if (operation.kind == Operation::done) {
      return step("repaired", state, [&](State& next) {
        const auto outcome = static_cast<RepairStep>(operation.value);
        idle(next);
        if (outcome == RepairStep::hostile) return fail("an honest intent is called hostile");
        if (outcome == RepairStep::again || outcome == RepairStep::nobody) {
          return state.undisturbed != 0 ? fail("repair will never end") : true;
        }
        next.freed = static_cast<std::uint8_t>(next.freed | 1u << victim);
        for (const Truth& truth : state.truth) {
          if (truth.settled == Settled::open && truth.owner == victim) {
            return fail("a hole that nobody will repair");
          }
        }
        return true;
      });
    }
    if (operation.kind == Operation::store && !step("kill the supervisor", state, idle)) {
      return false;
    }
    return step(describe(kProducersMax, operation, 0), state, [&](State& next) {
      std::uint64_t result = 0;
      return apply(next, operation, kProducersMax, result) &&
             advance(next, *program, next.repair_at, kProducersMax, result);
    });
  }

  /// Nobody will move but the supervisor.
  bool quiet(const State& state) const {
    for (unsigned i = 0; i < producers_; ++i) {
      if (!is_still(state, i)) return false;
    }
    return true;
  }

  bool apply(State& state, const Operation& operation, unsigned thread, std::uint64_t& result) {
    std::uint8_t& cell = state.memory[operation.cell];
    result = operation.kind == Operation::store ? 0 : values_[cell];
    if (is_rest(operation.cell)) {
      const bool blank = values_[state.memory[word_of(operation.cell)]] == 0;
      if (operation.kind == Operation::load && blank) result = 0;
      if (operation.kind == Operation::store && !blank) return fail("an intent changes in place");
    }
    if (operation.kind == Operation::load) return true;
    if (operation.kind == Operation::cas) {
      if (result != operation.expected) return true;
      claimed(state, thread, operation);
    }
    if (dropped(operation)) return true;
    cell = number(operation.value);
    return !is_stamp(operation.cell) || stamped(state, operation.cell - kStamps, thread);
  }

  void claimed(State& state, unsigned thread, const Operation& cas) {
    const layout::TailCodec codec(kRingBytes);
    const layout::Tail from = codec.unpack(cas.expected), to = codec.unpack(cas.value);
    state.truth[from.position / kUnit] = {
        static_cast<std::uint8_t>(thread),
        static_cast<std::uint8_t>((to.position - from.position) / kUnit),
        static_cast<std::uint8_t>((to.offset_low - from.offset_low) & codec.offset_mask()),
        Settled::open};
  }

  bool stamped(State& state, unsigned unit, unsigned thread) {
    Truth& truth = state.truth[unit];
    if (thread < kProducersMax) {
      if (truth.settled == Settled::unclaimed) return true;  // inside a batch
      if (truth.settled != Settled::open) return fail("a record over a skip");
      truth.settled = Settled::committed;
      return true;
    }
    const layout::RecordHeader skip = unpack(values_[state.memory[kHeaders + unit]]);
    if (truth.settled == Settled::unclaimed) return fail("a skip that nobody claimed");
    if (truth.settled == Settled::committed) return fail("a skip over a committed record");
    if ((state.dead >> truth.owner & 1) == 0) return fail("a skip over a live producer's claim");
    if (layout::record_bytes(skip) != truth.units * kUnit) return fail("a skip of wrong length");
    if (layout::record_offsets(skip) != truth.offsets) return fail("a skip of wrong offsets");
    truth.settled = Settled::skipped;
    return true;
  }

  std::string describe(unsigned thread, const Operation& operation, std::uint64_t way) const {
    static constexpr const char* kKinds[] = {"load", "store", "cas", "claim", "done"};
    const std::string who =
        thread == kProducersMax ? "repair" : "producer " + std::to_string(thread);
    if (operation.kind == Operation::choose) {
      return who + " claims " + std::to_string(claims_[way].units) + " units, " +
             std::to_string(claims_[way].offsets) + " offsets";
    }
    return who + ' ' + kKinds[operation.kind] + " cell " + std::to_string(operation.cell) +
           (operation.kind == Operation::load ? "" : " = " + std::to_string(operation.value));
  }

  unsigned producers_;
  const Claims claims_;
  std::size_t states_max_;
  std::vector<std::unique_ptr<Program>> programs_, repairs_;
  std::vector<std::uint64_t> values_;
  Seen seen_;
  std::vector<std::string> trace_;
  std::string violation_;
};

}  // namespace ringway::ring::interleaving
