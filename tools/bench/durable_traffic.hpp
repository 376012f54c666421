#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

/// Producers, pinned to the pair's CPUs in turn, that publish one record each to partition 0 of
/// `topic`, which is empty, wait until it is `durable`, and publish the next one. Percentiles of
/// one publish and its wait, of all of them together; how many a second in all; no CPU time.
/// Afterwards a consumer reads all of it from the start, each byte of each record. Throws Error
/// when a record is not the one that should come next of its producer.
Measured durable_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                         std::uint32_t producers, std::uint64_t size_bytes, const TickClock& clock,
                         std::chrono::nanoseconds length);

}  // namespace ringway::cli
