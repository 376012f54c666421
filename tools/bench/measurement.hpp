#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "tools/bench/cpus.hpp"
#include "tools/bench/figures.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/stage/child.hpp"

// Processes that do something together for a given time, each pinned to a CPU. They set up, meet at
// a gate, warm up, are timed, and end; the parent, which sleeps meanwhile, moves them from phase to
// phase.

namespace ringway::cli {

enum class Phase : std::uint32_t {
  warm_up,
  timed,
  over,  ///< records that are under way are still read and checked
};

/// Written by the parent three times, and read by everybody all the time.
struct alignas(128) Gate {
  std::atomic<Phase> phase{Phase::warm_up};
  static_assert(std::atomic<Phase>::is_always_lock_free);
};

/// What one process did while it was timed.
struct Work {
  std::uint64_t records = 0;
  std::uint64_t wall_ns = 0;  ///< 0: it never got to it
  std::uint64_t cpu_ns = 0;
};

/// One process's watch over the phases. Asked now and then, between records.
class Meter {
 public:
  explicit Meter(const Gate& gate) noexcept : gate_(gate) {}

  /// Whether to go on, with `records` done so far.
  bool go_on(std::uint64_t records) noexcept {
    // Relaxed: a phase publishes nothing.
    const Phase phase = gate_.phase.load(std::memory_order::relaxed);
    if (phase != seen_) [[unlikely]]
      enter(phase, records);
    return phase != Phase::over;
  }
  bool timed() const noexcept { return seen_ == Phase::timed; }
  /// Of the timed phase; complete once go_on() said no.
  const Work& work() const noexcept { return work_; }

 private:
  void enter(Phase phase, std::uint64_t records) noexcept;

  const Gate& gate_;
  Phase seen_ = Phase::warm_up;
  std::chrono::steady_clock::time_point from_{};
  std::chrono::nanoseconds cpu_from_{};
  std::uint64_t records_from_ = 0;
  Work work_;
};

/// What a process that is measured is given. Lives as long as its role.
class Stand {
 public:
  Stand(const Gate& gate, Channel& parent) noexcept : gate_(gate), parent_(parent) {}
  /// Set-up is done; returns when everybody's is.
  void ready();
  const Gate& gate() const noexcept { return gate_; }

 private:
  const Gate& gate_;
  Channel& parent_;
};

/// Pins the calling process to `cpu`, and has top and perf show it as `name` (15 bytes of it).
void take_place(const std::string& name, int cpu);

/// Result: trivially copyable.
template <class Result>
struct Part {
  std::string name;
  int cpu;
  std::function<Result(Stand&)> play;
};

/// Looks for a signal in between. Throws Interrupted.
void sleep_interruptibly(std::chrono::nanoseconds length);

/// Before `length`: a fifth of it, at least 5 and at most 100 ms.
std::chrono::nanoseconds warm_up_before(std::chrono::nanoseconds length);

/// Holds the phases for their time: what warms up, then `length`. Throws Interrupted.
void keep_time(Gate& gate, std::chrono::nanoseconds length);

/// Plays all parts together, from when all of them are ready; `conduct` meanwhile has the gate.
/// What each of them gave, in their order. Who waits for others to end stands behind them. Throws
/// Error when one of them fails, Interrupted when a signal came.
template <class Result>
std::vector<Result> play(const std::vector<Part<Result>>& parts,
                         const std::function<void(Gate&)>& conduct) {
  const SharedPages page(sizeof(Gate));
  Gate& gate = *new (page.data()) Gate;
  std::vector<Child> children;
  for (const Part<Result>& part : parts) {
    children.emplace_back(part.name, [&](Channel& parent) {
      take_place(part.name, part.cpu);
      Stand stand(gate, parent);
      parent.send(part.play(stand));
    });
  }
  for (Child& child : children) child.channel().template await<bool>();
  for (Child& child : children) child.channel().send(true);
  conduct(gate);
  std::vector<Result> results;
  for (Child& child : children) results.push_back(child.channel().template await<Result>());
  for (Child& child : children) child.join();
  return results;
}

/// The same through all phases, for `length`.
template <class Result>
std::vector<Result> measure(const std::vector<Part<Result>>& parts,
                            std::chrono::nanoseconds length) {
  return play<Result>(parts, [&](Gate& gate) { keep_time(gate, length); });
}

/// The same without phases: each part knows by itself when its work is done, and times it.
template <class Result>
std::vector<Result> measure_whole(const std::vector<Part<Result>>& parts) {
  return play<Result>(parts, [](Gate&) {});
}

/// What a process does with a given amount of work, from here on.
class WorkWatch {
 public:
  WorkWatch() : from_(std::chrono::steady_clock::now()), cpu_from_(cpu_time_used()) {}
  std::chrono::nanoseconds passed() const { return std::chrono::steady_clock::now() - from_; }
  Work work(std::uint64_t records) const {
    return {records, static_cast<std::uint64_t>(passed().count()),
            static_cast<std::uint64_t>((cpu_time_used() - cpu_from_).count())};
  }

 private:
  std::chrono::steady_clock::time_point from_;
  std::chrono::nanoseconds cpu_from_;
};

/// Throughput of records that everybody in `readers` read, whole slots of `slot_bytes`: the slowest
/// reader's; CPU time is that of all of `others`, too. Nothing where somebody was not timed.
Figures throughput(const std::vector<Work>& readers, const std::vector<Work>& others,
                   std::uint64_t slot_bytes);

}  // namespace ringway::cli
