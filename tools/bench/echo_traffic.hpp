#pragma once

#include <chrono>
#include <cstdint>
#include <ringway/consumer.hpp>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

/// How latency is looked at.
struct LatencyShape {
  std::uint64_t size_bytes = 64;  ///< of each payload; a multiple of 16
  WaitStrategy wait = WaitStrategy::latency;
};

/// A record is filled in place, another process sees it, copies it in place into a second topic,
/// and the first one checks that: half of each round trip. Opens and closes everything.
Measured echo_traffic(const std::string& socket, const std::string& out, const std::string& back,
                      const CpuPair& cpus, const LatencyShape& shape, const TickClock& clock,
                      std::chrono::nanoseconds length);

/// One way at a fixed rate: from when a record was due to when it was seen and checked.
Measured paced_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                       const LatencyShape& shape, double records_per_s, const TickClock& clock,
                       std::chrono::nanoseconds length);

}  // namespace ringway::cli
