#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "log/segment_info.hpp"

namespace ringway::log {

/// What is to go: records below an offset, or before a time.
struct TrimLimit {
  std::uint64_t offset = std::numeric_limits<std::uint64_t>::max();
  std::int64_t time_ns = std::numeric_limits<std::int64_t>::max();
};

/// Why the oldest segment that stays is there.
enum class TrimStop : unsigned char {
  limit,   ///< it begins at the limit or behind it
  within,  ///< it holds records on both sides of the limit
  cursor,  ///< a cursor wants a record in it
  last,    ///< the last segment never goes
};

struct TrimDecision {
  std::size_t remove = 0;  ///< how many of the oldest may go
  TrimStop stop = TrimStop::limit;

  friend bool operator==(const TrimDecision&, const TrimDecision&) = default;
};

/// Pure. `segments` oldest first; `protected_offset` is the lowest that a protecting cursor wants.
TrimDecision decide_trim(std::span<const SegmentInfo> segments, const TrimLimit& limit,
                         std::uint64_t protected_offset) noexcept;

}  // namespace ringway::log
