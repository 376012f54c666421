#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "daemon/partition_duty.hpp"
#include "daemon/resting_partitions.hpp"

namespace ringway::daemon {

/// The duties of one topic's partitions, and whether they are looked at all the time or only when a
/// producer rings. Owned by the flusher's thread.
class TopicDuty {
 public:
  using Released = std::function<void(std::uint32_t repaired)>;

  TopicDuty(std::shared_ptr<ServedTopic> topic, storage::FileSystem& file_system,
            storage::WriteEngine& engine, const EventLog& events);

  const ServedTopic& topic() const noexcept { return *topic_; }
  const std::shared_ptr<ServedTopic>& shared() const noexcept { return topic_; }

  void attach(const HandleSlots& handle);
  void release(std::uint64_t handle, Released done);
  /// `done`, now or in a later round, when no exclusive producer stores to a tail any more.
  void share(std::function<void()> done);
  SegmentRemoval retire(std::uint32_t partition, std::uint64_t first_kept) {
    return partitions_[partition]->retire_segments(first_kept);
  }
  void leave_segment(std::uint32_t partition) { partitions_[partition]->leave_segment(); }

  /// One look at every partition that does not rest, or at as many as `until` leaves time for, at
  /// least one; the next call goes on behind them. Returns when that is due at the latest.
  SteadyTime round(SteadyTime now, SteadyTime until);
  /// Whether the last round() came to its end.
  bool round_is_over() const noexcept { return round_is_over_; }

  /// Awake topics are looked at every round. One that has been quiet is lulled: true when it was
  /// put to sleep by this call; then comes a barrier, then look_again() for what slipped in before
  /// it.
  bool awake() const noexcept { return state_ == State::awake; }
  bool lull(SteadyTime now);
  void look_again(SteadyTime now);
  /// Wakes it when a producer took its sleeper bit away; `anyway`, also where it did not and not
  /// all partitions rest.
  void rouse(SteadyTime now, bool anyway);

  /// Once a second at most.
  std::optional<Trouble> trouble(SteadyTime now);

  /// Brings the ring to its end, or gives that up: a producer stands still, or a device refuses.
  void end_ring(SteadyTime now, RingEnd how, std::function<void(RingEnded)> done);
  /// Nothing is served any more: whoever waits for a release has it.
  void let_go();

  /// Orderly stop.
  void drain();
  bool drained() const;
  bool writing() const;

 private:
  enum class State : unsigned char { awake, falling_asleep, asleep };

  struct Release {
    std::uint32_t partitions_left;
    std::uint32_t repaired;
    Released done;
  };

  void wake() noexcept;
  void ring_for_the_dead() const noexcept;
  struct Ending {
    RingEnd how;
    SteadyTime begun;
    std::function<void(RingEnded)> done;
  };

  void know(const HandleSlots& handle);
  void want_sharing();
  void say_if_shared();
  void settled(std::uint64_t handle, std::uint32_t repaired);
  std::chrono::nanoseconds pause_behind(SteadyTime now, std::uint64_t most) noexcept;
  void look_at_end(SteadyTime now);
  bool device_refuses() const noexcept;
  void say_that_bell_is_lost();

  std::shared_ptr<ServedTopic> topic_;
  const EventLog& events_;
  std::vector<std::unique_ptr<PartitionDuty>> partitions_;
  RestingPartitions rest_;
  std::unordered_map<std::uint64_t, std::shared_ptr<const void>> keep_alive_;  ///< by handle
  std::unordered_map<std::uint64_t, Release> releases_;                        ///< by handle
  std::vector<std::function<void()>> shares_;  ///< who waits for an exclusive producer to share
  std::size_t next_ = 0;                       ///< of those awake, where the round goes on
  bool round_is_over_ = true;
  SteadyTime round_due_ = SteadyTime::max();   ///< of what it looked at so far
  std::uint64_t round_most_ = 0;
  State state_ = State::awake;
  SteadyTime busy_at_{};
  SteadyTime round_at_{};  ///< when the last one ended
  bool looked_ = false;  ///< a round has ended since it woke
  bool bell_is_lost_ = false;
  bool draining_ = false;
  std::optional<Ending> ending_;
  SteadyTime next_trouble_{};
  std::size_t trouble_at_ = 0;  ///< whose was told last
};

}  // namespace ringway::daemon
