#include "daemon/served_topic.hpp"

#include <algorithm>

namespace ringway::daemon {

void SegmentList::assign(std::vector<log::SegmentInfo> segments) {
  const std::lock_guard lock(mutex_);
  segments_ = std::move(segments);
}

void SegmentList::note(const log::SegmentInfo& newest) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(segments_, newest.name, &log::SegmentInfo::name);
  if (known != segments_.end()) {
    *known = newest;
  } else {
    segments_.push_back(newest);
  }
}

void SegmentList::remove_oldest(std::size_t count) {
  const std::lock_guard lock(mutex_);
  count = std::min(count, segments_.size());
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
}

std::vector<log::SegmentInfo> SegmentList::snapshot() const {
  const std::lock_guard lock(mutex_);
  return segments_;
}

}  // namespace ringway::daemon
