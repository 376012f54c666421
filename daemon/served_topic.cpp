#include "daemon/served_topic.hpp"

#include <algorithm>

#include "daemon/told_waiters.hpp"
#include "shm/park.hpp"

namespace ringway::daemon {

void SegmentList::assign(std::vector<log::SegmentInfo> segments) {
  const std::lock_guard lock(mutex_);
  segments_ = std::move(segments);
}

std::vector<log::SegmentInfo> SegmentList::snapshot() const {
  const std::lock_guard lock(mutex_);
  return segments_;
}

std::optional<SegmentList::End> SegmentList::reaching_beyond(std::uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::upper_bound(
      segments_, offset, {}, [](const log::SegmentInfo& segment) { return segment.end.offset; });
  if (found == segments_.end()) return {};
  return End{found->end.position, found->time_max};
}

void ServedTopic::set_state(layout::TopicState state) const noexcept {
  memory_.board().state.store(static_cast<std::uint32_t>(state), std::memory_order::release);
}

void ServedTopic::wake_everybody() const noexcept {
  for (std::uint32_t p = 0; p < partitions(); ++p) {
    auto& board = view(p).board();
    board.progress.fetch_add(1, std::memory_order::release);
    shm::wake_all(board.progress);
    // All of the words: who is about to sleep on one has not said so yet.
    for (auto& told : board.told) told.fetch_add(1, std::memory_order::release);
    ring::PartitionView::full_fence();
    wake_told(board, memory_.bell(p), ~std::uint32_t{0});
  }
  auto& bell = memory_.ring().bell_seq;
  bell.fetch_add(1, std::memory_order::release);
  shm::wake_all(bell);
}

}  // namespace ringway::daemon
