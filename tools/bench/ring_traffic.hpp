#pragma once

#include <chrono>
#include <cstdint>
#include <ringway/consumer.hpp>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

struct RingShape {
  std::uint64_t size_bytes = 64;  ///< of each payload; a multiple of 16
  std::uint32_t claim = 1;        ///< records that are claimed and committed at once
  std::uint32_t producers = 1;
  std::uint32_t consumers = 1;
  bool exclusive = false;
  WaitStrategy wait = WaitStrategy::adaptive;
};

/// Producers that fill records in place, as fast as they can, all on partition 0 of `topic`, and
/// consumers that read each byte of each record. Producers are pinned to the pair's CPUs in turn,
/// consumers to the second one. Each producer's share of the records is in `more`, and the smallest
/// one. Opens and closes everything; nothing is left in the ring. Throws Error when a record is not
/// the one that should come next.
Measured ring_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                      const RingShape& shape, std::chrono::nanoseconds length);

}  // namespace ringway::cli
