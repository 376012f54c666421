#pragma once

#include <cstdint>
#include <optional>

#include "daemon/event_log.hpp"
#include "daemon/log_damage.hpp"
#include "daemon/served_topic.hpp"
#include "log/recovery.hpp"
#include "storage/file_system.hpp"

namespace ringway::daemon {

/// What a partition's log is found to hold, once it is mended. Any thread, one a partition.
log::Recovered recover_log(const ServedTopic& topic, std::uint32_t partition,
                           storage::FileSystem& file_system, log::RecoverMode mode);
/// Logs what of it a person should know, and notes what of the log is not to be had.
void report_recovery(const ServedTopic& topic, std::uint32_t partition, const log::Recovered& found,
                     const EventLog& log, LogDamage& damage);

/// Fills board and ring of a partition so that its first record gets `start`, and tells the flusher
/// where the log goes on. The memory is fresh.
void open_partition(ServedTopic& topic, std::uint32_t partition, log::LogPoint start,
                    const log::Recovered& recovered);

/// The same for a ring that lives on: the log goes on where it verified, as far as the ring still
/// holds that place. Returns what the log had in front of the ring's oldest record and has not any
/// more; nothing when it has all of it.
std::optional<log::MissingRange> reopen_partition(ServedTopic& topic, std::uint32_t partition,
                                                  const log::Recovered& recovered,
                                                  const EventLog& log);

}  // namespace ringway::daemon
