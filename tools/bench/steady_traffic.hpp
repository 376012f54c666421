#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

struct SteadyShape {
  std::uint64_t size_bytes = 64;    ///< of each payload; a multiple of 16
  std::uint32_t partitions = 1;     ///< the first ones of the topic, in turn, record by record
  std::uint64_t records_per_s = 0;  ///< 0: as fast as they are taken
};

/// A producer on the first CPU that fills records in place, and a consumer on the second one that
/// follows and reads each byte of each record. CPU time is that of both and of the supervisor.
/// Throws Error when a record is not the one that should come next in its partition, or a partition
/// had more than its turn.
Measured steady_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                        const CpuPair& cpus, const SteadyShape& shape,
                        std::chrono::nanoseconds length);

}  // namespace ringway::cli
