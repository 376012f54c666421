#pragma once

#include <cstdint>
#include <optional>

#include "daemon/served_topic.hpp"

namespace ringway::daemon::metrics {

/// How far a place in a partition is behind what is committed there.
struct ConsumerLag {
  std::uint64_t records = 0;           ///< offsets, gaps included
  std::optional<std::uint64_t> bytes{};    ///< at least so many; none: not known
  std::optional<std::int64_t> since_ns{};  ///< when the oldest that is behind it was published, or
                                           ///< later; as its producer said; none: not known
};

/// `offset` is the next to be read. Bytes and time are exact where the ring still has it and a walk
/// from the boundary before it gets there within `hops_left`, of which it takes what it needs.
/// Elsewhere they are those of the next place behind it that is known, so that no lag is ever told
/// that is not there: a boundary of the ring, or the end of the segment that has it. Any thread;
/// what it reads of the ring counts only if it was still there afterwards, and of the segments it
/// copies one.
ConsumerLag lag_behind(const ServedTopic& topic, std::uint32_t partition, std::uint64_t offset,
                       std::uint64_t& hops_left);

}  // namespace ringway::daemon::metrics
