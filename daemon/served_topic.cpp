#include "daemon/served_topic.hpp"

namespace ringway::daemon {

void SegmentList::assign(std::vector<log::SegmentInfo> segments) {
  const std::lock_guard lock(mutex_);
  segments_ = std::move(segments);
}

std::vector<log::SegmentInfo> SegmentList::snapshot() const {
  const std::lock_guard lock(mutex_);
  return segments_;
}

}  // namespace ringway::daemon
