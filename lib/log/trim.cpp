#include "log/trim.hpp"

namespace ringway::log {
namespace {

/// Of the earliest record it may hold.
bool begins_before(const SegmentInfo& segment, const TrimLimit& limit) noexcept {
  return segment.first.offset < limit.offset &&
         (segment.time_min == kNoTime || segment.time_min < limit.time_ns);
}

bool ends_before(const SegmentInfo& segment, const TrimLimit& limit) noexcept {
  return segment.end.offset <= limit.offset &&
         (segment.time_max == kNoTime || segment.time_max < limit.time_ns);
}

}  // namespace

TrimDecision decide_trim(std::span<const SegmentInfo> segments, const TrimLimit& limit,
                         std::uint64_t protected_offset) noexcept {
  TrimDecision decision;
  for (const SegmentInfo& oldest : segments) {
    if (!begins_before(oldest, limit)) break;
    if (decision.remove + 1 == segments.size()) {
      decision.stop = TrimStop::last;
      break;
    }
    if (!ends_before(oldest, limit)) {
      decision.stop = TrimStop::within;
      break;
    }
    if (oldest.end.offset > protected_offset) {
      decision.stop = TrimStop::cursor;
      break;
    }
    ++decision.remove;
  }
  return decision;
}

}  // namespace ringway::log
