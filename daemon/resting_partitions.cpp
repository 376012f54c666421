#include "daemon/resting_partitions.hpp"

#include <algorithm>
#include <optional>

namespace ringway::daemon {

namespace {

/// All of them are looked at closely within so many looks.
constexpr std::size_t kCloseTurns = 10;

}  // namespace

RestingPartitions::RestingPartitions(const Partitions& partitions) : duties_(partitions) {
  for (const auto& duty : duties_) {
    partitions_.push_back({&duty->tail_word(), 0});
    awake_.push_back(duty.get());
  }
}

bool RestingPartitions::rests_after_round(std::size_t at) {
  const PartitionDuty& duty = *awake_[at];
  const std::optional<std::uint64_t> word = duty.tail_at_rest();
  if (!word) return false;
  Partition& partition = partitions_[duty.partition()];
  partition.word = *word;
  partition.state = State::resting;
  awake_[at] = awake_.back();
  awake_.pop_back();
  return true;
}

void RestingPartitions::look(SteadyTime now, std::size_t count) {
  seen_at_ = now;
  for (count = std::min(count, partitions_.size()); count > 0; --count) {
    if (++next_ == partitions_.size()) next_ = 0;
    const Partition& partition = partitions_[next_];
    // Relaxed: a hint, as a claim's stamp may come later anyway; its round looks at both.
    if (partition.rests() && partition.tail->load(std::memory_order::relaxed) != partition.word) {
      wake(next_);
    }
  }
}

void RestingPartitions::look_closely(SteadyTime now) {
  seen_at_ = now;
  for (std::size_t count = partitions_.size() / kCloseTurns + 1; count > 0; --count) {
    if (++next_close_ == partitions_.size()) next_close_ = 0;
    if (!partitions_[next_close_].rests()) continue;
    if (duties_[next_close_]->something_unclaimed()) {
      wake(next_close_);
    } else {
      park(next_close_);
    }
  }
}

void RestingPartitions::wake_all() {
  for (std::size_t p = 0; p < partitions_.size(); ++p) {
    if (partitions_[p].rests()) wake(p);
  }
}

void RestingPartitions::park() {
  for (PartitionDuty* const duty : awake_) duty->park();
  for (std::size_t p = 0; p < partitions_.size(); ++p) park(p);
}

void RestingPartitions::park(std::size_t partition) noexcept {
  if (partitions_[partition].state != State::resting) return;
  duties_[partition]->park();
  partitions_[partition].state = State::parked;
}

void RestingPartitions::wake(std::size_t partition) {
  partitions_[partition].state = State::awake;
  duties_[partition]->rested_until(seen_at_);
  awake_.push_back(duties_[partition].get());
}

}  // namespace ringway::daemon
