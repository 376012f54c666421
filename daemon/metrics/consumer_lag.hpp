#pragma once

#include <cstdint>
#include <optional>

#include "daemon/served_topic.hpp"

namespace ringway::daemon::metrics {

/// How far a place in a partition is behind what is committed there.
struct ConsumerLag {
  std::uint64_t records = 0;           ///< offsets, gaps included
  std::optional<std::uint64_t> bytes{};    ///< none: not known
  std::optional<std::int64_t> since_ns{};  ///< when the oldest that is behind it was published
};

/// `offset` is the next to be read, and `position` the log position where it lies, where its reader
/// says so. Of a place that has left the ring, or whose position nobody says, bytes and time are
/// what lies in proportion between the places that are known: the ends of segments, the ring's
/// oldest boundary. Any thread; what it reads of the ring is looked at twice, and nothing is held.
ConsumerLag lag_behind(const ServedTopic& topic, std::uint32_t partition, std::uint64_t offset,
                       std::optional<std::uint64_t> position);

}  // namespace ringway::daemon::metrics
