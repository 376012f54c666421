#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ringway/consumer.hpp>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

struct FanoutShape {
  std::uint64_t size_bytes = 64;  ///< of each payload; a multiple of 16
  std::uint32_t consumers = 8;
  WaitStrategy wait = WaitStrategy::adaptive;
  std::uint64_t log_bytes = 0;  ///< to be published while it is timed: whole slots
};

/// A producer on the first CPU that fills records in place, as fast as they are taken, on partition
/// 0 of `topic`, which is persisted; consumers on the second one, of which each reads each byte of
/// each record, from the ring or, where it fell behind, from the log. Over when the last one has
/// read everything. The figures are the producer's, behind a warm-up of an eighth of the bytes (at
/// most 64 MiB), until its last record was taken; CPU time is that of all of them and of the
/// supervisor. `more`: "from_log", records that consumers read there, "from_log_share" of all that
/// they read, the same of each consumer; "last_reader_seconds". Throws Error when a record is not
/// the one that should come next.
Measured fanout_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                        const CpuPair& cpus, const FanoutShape& shape);

}  // namespace ringway::cli
