#pragma once

#include <optional>
#include <span>

#include "control/messages.hpp"
#include "log/segment_info.hpp"

namespace ringway::daemon {

/// Which segment to read for a place: its index, or nothing when the ring has it (or nobody yet).
/// A place in a gap is found in the segment behind it, one that retention has taken in the first:
/// where that begins tells the asker what is missing. Segments oldest first. Pure.
std::optional<std::size_t> find_segment(std::span<const log::SegmentInfo> segments,
                                        const control::AtOffset& at);
std::optional<std::size_t> find_segment(std::span<const log::SegmentInfo> segments,
                                        const control::AtPosition& at);
std::optional<std::size_t> find_segment(std::span<const log::SegmentInfo> segments,
                                        const control::AtTime& at);

}  // namespace ringway::daemon
