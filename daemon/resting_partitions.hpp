#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "daemon/partition_duty.hpp"

namespace ringway::daemon {

/// Which of a topic's partitions are awake, that is, looked at in rounds, and which rest: nothing
/// is to be done there, and nothing that time would bring, so that a look at the word of its tail
/// stands for a round. What no claim comes with is found by a closer look at some of them in turn.
/// Owned by a TopicDuty; the flusher's thread.
class RestingPartitions {
 public:
  using Partitions = std::vector<std::unique_ptr<PartitionDuty>>;

  /// All are awake. `partitions` outlive it and are the same all the time.
  explicit RestingPartitions(const Partitions& partitions);

  /// Whose round is due, in no order. Others come behind them at any time.
  std::span<PartitionDuty* const> awake() const noexcept { return awake_; }
  /// The one at `at` of them had a round just now. True where it rests from then on: then another
  /// one stands in its place, if there is one behind it.
  bool rests_after_round(std::size_t at);

  /// Wakes those whose tail has moved, back too, or was closed or opened: of all, or of the next
  /// `count` in turn.
  void look(SteadyTime now, std::size_t count = ~std::size_t{0});
  /// A tenth of them in turn: wakes those where something is stamped that nobody claimed, or a page
  /// is gone, and closes the files of the others.
  void look_closely(SteadyTime now);
  /// Something else than a tail's move brings them something to do.
  void wake_all();
  /// Closes all files. All are quiet.
  void park();

 private:
  enum class State : unsigned char {
    awake,
    resting,
    parked,  ///< rests, and its file is closed
  };
  struct Partition {
    const std::atomic<std::uint64_t>* tail;
    std::uint64_t word;  ///< of its tail, as long as it rests
    State state = State::awake;

    bool rests() const noexcept { return state != State::awake; }
  };

  void wake(std::size_t partition);
  void park(std::size_t partition) noexcept;

  const Partitions& duties_;
  std::vector<Partition> partitions_;
  std::vector<PartitionDuty*> awake_;
  std::size_t next_ = 0, next_close_ = 0;  ///< in turn
  SteadyTime seen_at_{};                   ///< when any of those at rest was last looked at
};

}  // namespace ringway::daemon
