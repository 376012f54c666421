#include "daemon/served_topic.hpp"

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

void ServedTopic::set_state(layout::TopicState state) const noexcept {
  memory_.board().state.store(static_cast<std::uint32_t>(state), std::memory_order::release);
}

void ServedTopic::wake_everybody() const noexcept {
  for (std::uint32_t p = 0; p < partitions(); ++p) {
    auto& progress = view(p).board().progress;
    progress.fetch_add(1, std::memory_order::release);
    shm::wake_all(progress);
  }
  auto& bell = memory_.ring().bell_seq;
  bell.fetch_add(1, std::memory_order::release);
  shm::wake_all(bell);
}

}  // namespace ringway::daemon
