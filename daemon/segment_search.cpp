#include "daemon/segment_search.hpp"

#include <algorithm>

namespace ringway::daemon {
namespace {

/// The first segment whose end lies behind `place`, by one coordinate of its points.
std::optional<std::size_t> first_ending_behind(std::span<const log::SegmentInfo> segments,
                                               std::uint64_t place,
                                               std::uint64_t log::LogPoint::* coordinate) {
  // Ends never decrease along the log.
  const auto found = std::ranges::partition_point(
      segments, [&](const log::SegmentInfo& segment) { return segment.end.*coordinate <= place; });
  if (found == segments.end()) return std::nullopt;
  return static_cast<std::size_t>(found - segments.begin());
}

}  // namespace

std::optional<std::size_t> find_segment(std::span<const log::SegmentInfo> segments,
                                        const control::AtOffset& at) {
  return first_ending_behind(segments, at.offset, &log::LogPoint::offset);
}

std::optional<std::size_t> find_segment(std::span<const log::SegmentInfo> segments,
                                        const control::AtPosition& at) {
  return first_ending_behind(segments, at.position, &log::LogPoint::position);
}

std::optional<std::size_t> find_segment(std::span<const log::SegmentInfo> segments,
                                        const control::AtTime& at) {
  if (segments.empty()) return std::nullopt;
  // The running maximum never decreases along the log. The newest segment may have grown since its
  // entry was made: whoever looks beyond all others looks there.
  const auto sealed = segments.first(segments.size() - 1);
  const auto found = std::ranges::partition_point(sealed, [&](const log::SegmentInfo& segment) {
    return segment.running_max == log::kNoTime || segment.running_max < at.time_ns;
  });
  return static_cast<std::size_t>(found - sealed.begin());
}

}  // namespace ringway::daemon
