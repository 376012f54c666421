// How a consumer waits (ring/bell.hpp), and what it does about a supervisor that went away.

#include <algorithm>

#include "client/consumer_state.hpp"
#include "ring/bell.hpp"
#include "ring/relax.hpp"

namespace ringway {
namespace {

constexpr int kSpinsBetweenClocks = 64;
// At partitions, all in all. Some hundred nanoseconds: as long as an answer of another core takes.
constexpr std::size_t kLooksAtOnce = 64;
// Longer than a wake-up takes, so that a stream with short pauses is followed without sleeping.
constexpr std::chrono::microseconds kAdaptiveSpin{50};
// More than processors fetch ahead.
constexpr std::uint64_t kDistanceBytes = 32 * 1024;
constexpr std::chrono::microseconds kDistanceWait{2};
constexpr std::chrono::microseconds kDistanceWaitMax{16};
// Of a stream that is worth more waits, in each of them: 1 GB/s.
constexpr std::uint64_t kFastBytes = 2 * 1024;
constexpr int kRelaxesBetweenClocks = 8;
// While the log or the supervisor is asked in vain.
constexpr std::chrono::milliseconds kAskAgain{20};

}  // namespace

bool ConsumerState::something_came() noexcept {
  return std::any_of(cursors_.begin(), cursors_.end(),
                     [](PartitionCursor& cursor) { return cursor.something_came(); });
}

/// The most that is claimed ahead in any partition.
std::uint64_t ConsumerState::ahead() const noexcept {
  std::uint64_t most = 0;
  for (const PartitionCursor& cursor : cursors_) most = std::max(most, cursor.ahead());
  return most;
}

/// Lets the producers of a stream get ahead, and leaves the last of what they wrote to a later
/// poll: who follows at their heels takes each line from them while they write it, and so does what
/// the processor fetches ahead of him; then all go at the pace of that. Tail is looked at seldom,
/// for the same reason. A stream that is too slow for that is waited for but once. Without a system
/// call, though another might make use of the core: there may be data (G10).
void ConsumerState::keep_distance(Timeout patience) noexcept {
  if (options_.wait == WaitStrategy::latency) return;
  const Deadline enough(std::min<Timeout>(patience, kDistanceWaitMax));
  for (std::uint64_t before = ahead(); before <= kDistanceBytes;) {
    const Deadline look(std::min<Timeout>(patience, kDistanceWait));
    do {
      for (int i = 0; i < kRelaxesBetweenClocks; ++i) relax();
    } while (!look.passed());
    const std::uint64_t now = ahead();
    if (now < before + kFastBytes || enough.passed()) return;
    before = now;
  }
  for (PartitionCursor& cursor : cursors_) cursor.stop_short(kDistanceBytes);
}

/// Before anything that takes longer than an answer does: a clock, the state of the topic. Without
/// a pause between the looks, for the same reason.
bool ConsumerState::comes_at_once() noexcept {
  if (options_.wait == WaitStrategy::throughput) return false;
  for (std::size_t looks = 0; looks < kLooksAtOnce; looks += cursors_.size()) {
    if (something_came()) return true;
  }
  return false;
}

/// Spins as the strategy has it. Whether something came; false also when something else is to be
/// done.
bool ConsumerState::spin_before_sleep(const Deadline& deadline) noexcept {
  if (options_.wait == WaitStrategy::throughput) return false;
  const auto bound = options_.wait == WaitStrategy::latency ? Timeout(kSleepMax) : kAdaptiveSpin;
  const Deadline spin(deadline.sleep(bound));
  do {
    for (int i = 0; i < kSpinsBetweenClocks; ++i) {
      if (something_came()) return true;
      if (interrupt_.raised()) return false;
      relax();
    }
  } while (!spin.passed());
  return false;
}

Status ConsumerState::wait_until(const Deadline& deadline) noexcept {
  for (;;) {
    if (something_came()) return Status::ok;
    if (interrupt_.take()) return Status::interrupted;
    const auto before = handle_.memory;
    const std::uint32_t state = before->board().state.load(std::memory_order::acquire);
    if (const Status status = keep_going(); status != Status::ok) return status;
    if (handle_.memory != before) continue;  // another ring may have what this one had not
    if (std::ranges::all_of(cursors_, &PartitionCursor::at_quarantine)) return Status::quarantined;
    if (deadline.passed()) {
      return std::ranges::any_of(cursors_, &PartitionCursor::at_quarantine) ? Status::quarantined
                                                                            : Status::timeout;
    }
    if (spin_before_sleep(deadline)) return Status::ok;
    if (interrupt_.raised()) continue;
    latencies_.slept();
    if (options_.wait == WaitStrategy::latency) continue;

    const bool in_vain = std::any_of(cursors_.begin(), cursors_.end(),
                                     [](const auto& cursor) { return cursor.in_vain(); });
    bell_->prepare(interrupt_, deadline.sleep(in_vain ? Timeout(kAskAgain) : kSleepMax));
    // The state, too: who rang because of it may have done so before the bell was looked at.
    ring::sleep_on_bell(*bell_, [&] {
      return something_came() || before->board().state.load(std::memory_order::acquire) != state;
    });
    for (PartitionCursor& cursor : cursors_) cursor.try_again();
  }
}

/// A moment's sleep that the bell ends early.
void ConsumerState::pause(const Deadline& deadline) noexcept {
  bell_->prepare(interrupt_, deadline.sleep(kAskAgain));
  ring::sleep_on_bell(*bell_, [] { return false; });
}

/// Moves with every record and skip that any cursor passes.
std::uint64_t ConsumerState::progress() const noexcept {
  std::uint64_t sum = 0;
  for (const PartitionCursor& cursor : cursors_) sum += cursor.offset();
  return sum;
}

Status ConsumerState::wait(Timeout timeout) noexcept {
  if (in_child()) return Status::forked;
  advance();
  return wait_until(Deadline(timeout));
}

}  // namespace ringway
