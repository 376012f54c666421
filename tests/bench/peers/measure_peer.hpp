#pragma once

#include <chrono>

#include "bench/peers/peer.hpp"
#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::peers {

/// As fast as it goes: a sender on the first CPU, a receiver on the second one. Order and every
/// byte are checked, as those of Ringway's records are.
cli::Measured measure_throughput(const Peer& peer, const cli::CpuPair& cpus,
                                 std::uint64_t size_bytes, std::chrono::nanoseconds length);

/// One record there and back at a time; half of that.
cli::Measured measure_latency(const Peer& peer, const cli::CpuPair& cpus, std::uint64_t size_bytes,
                              const cli::TickClock& clock, std::chrono::nanoseconds length);

}  // namespace ringway::peers
