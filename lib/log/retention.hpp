#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "log/segment_info.hpp"

namespace ringway::log {

/// 0 means no limit.
struct RetentionLimits {
  std::uint64_t bytes = 0;           ///< of the partition's segments together
  std::int64_t age_ns = 0;           ///< by the supervisor's clock at the last write
  std::uint64_t free_bytes_min = 0;  ///< to be kept free in the file system
};

struct RetentionFacts {
  std::int64_t now_ns = 0;
  std::uint64_t free_bytes = std::numeric_limits<std::uint64_t>::max();
  /// The lowest offset that a protecting cursor still wants.
  std::uint64_t protected_offset = std::numeric_limits<std::uint64_t>::max();
};

/// What asks for the removal of a segment; of several the first counts.
enum class Limit : unsigned char { bytes, age, disk };

inline constexpr std::array kLimits{Limit::bytes, Limit::age, Limit::disk};

std::string_view to_string(Limit limit) noexcept;

/// How many segments each limit asked for.
using RetiredBy = std::array<std::size_t, kLimits.size()>;

/// Why the oldest segment that stays is there.
enum class Keeps : unsigned char {
  limits,  ///< no limit asks for its removal
  cursor,  ///< a limit does, but a cursor wants a record in it
  last,    ///< a limit does, but the last segment never goes
};

struct RetentionDecision {
  std::size_t retire = 0;  ///< how many of the oldest may go
  Keeps next = Keeps::limits;
  RetiredBy by{};  ///< all that may go

  friend bool operator==(const RetentionDecision&, const RetentionDecision&) = default;
};

/// Pure. `segments` oldest first.
RetentionDecision decide_retention(std::span<const SegmentInfo> segments,
                                   const RetentionLimits& limits,
                                   const RetentionFacts& facts) noexcept;

}  // namespace ringway::log
