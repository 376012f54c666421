#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

struct PersistShape {
  std::uint64_t size_bytes = 1024;      ///< of each payload; a multiple of 16
  std::uint32_t claim = 1;              ///< records that are claimed and committed at once
  std::uint64_t log_bytes = 0;          ///< to be persisted while it is timed: whole slots
  std::chrono::nanoseconds time_min{};  ///< goes on beyond log_bytes until so much has passed
  std::uint64_t log_bytes_max = std::numeric_limits<std::uint64_t>::max();  ///< but not beyond this

  /// Of a warm-up, not timed: an eighth of log_bytes, at most 64 MiB.
  std::uint64_t warm_up_bytes() const noexcept;
};

/// A producer on the first CPU that fills records in place, as fast as they are taken, on partition
/// 0 of `topic`, which is persisted; a consumer on the second one that follows and reads each byte
/// of each record. Timed, behind a warm-up, until the last record is `written`. CPU time is that of
/// both and of the supervisor. `more`: "bytes" that were persisted, "seconds", and "reader_seconds"
/// until the consumer had seen the last one. Throws Error when a record is not the one that should
/// come next.
Measured persist_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                         const CpuPair& cpus, const PersistShape& shape);

}  // namespace ringway::cli
