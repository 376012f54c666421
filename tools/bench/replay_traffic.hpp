#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

/// Fills partition 0 of `topic`, which is persisted and empty, with `records` of `size_bytes` each,
/// until all are durable. Not timed.
void write_log(const std::string& socket, const std::string& topic, int cpu,
               std::uint64_t size_bytes, std::uint64_t records);

/// A consumer on `cpu` that reads them from the start, each byte of each record. CPU time is its
/// own and the supervisor's. Throws Error when a record is not the one that should come next.
Measured replay_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                        int cpu, std::uint64_t size_bytes, std::uint64_t records);

}  // namespace ringway::cli
