#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

struct SpillShape {
  std::uint64_t size_bytes = 1024;  ///< of each payload; a multiple of 16
  std::uint64_t records_per_s = 0;
  std::uint64_t ring_bytes = 0;  ///< of the topic
  bool falls = false;            ///< whether there is a consumer that does
};

/// A producer on the first CPU that fills records in place at a steady rate, on partition 0 of
/// `topic`, which is persisted, and a consumer on the second one that follows. With `falls` another
/// one there stands still until its place is two rings behind, reads as fast as it can until it is
/// within an eighth of a ring, and stands still again; in the end it reads all of it.
/// Both read each byte of each record. Figures are the live consumer's; its latencies are those of
/// the oldest record that each poll gave, from when it was claimed. `more`: the producer's
/// "producer_records_per_s", how often the other one "fell" and "came_back" while it was timed, and
/// how many "records_from_disk" it was given: at least those that lay more than a whole ring behind
/// when it asked. Throws Error when a record is not the one that should come next.
Measured spill_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                       const SpillShape& shape, std::chrono::nanoseconds length);

}  // namespace ringway::cli
