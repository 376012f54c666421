#pragma once

#include <cstdint>
#include <optional>

#include "daemon/catalog.hpp"
#include "log/stream.hpp"
#include "ringway/topic.hpp"

namespace ringway::daemon {

/// Where a new ring of a partition begins: log position (a page multiple) and offset of its ring
/// position 0. The one rule: an offset that may once have been visible is never given again.
///
///   ended by an orderly stop          exactly where the drain ended, at the next page
///   ring lost, persisted              behind everything the lost ring could have held
///   the same, sync = never            and behind what the kernel could have kept back
///   the same, when_disk_fails = memory  and behind what a ring can give at all: the log may have
///                                     been left behind by as much
///   ring lost, not persisted          the next multiple of 2^40
///
/// `log_floor`: the log on disk uses nothing at or behind it (log::Recovered::floor), nor has a
/// named cursor come further.
log::LogPoint ring_start(const TopicSettings& settings, const PartitionRow& row,
                         const std::optional<log::LogPoint>& log_floor) noexcept;

}  // namespace ringway::daemon
