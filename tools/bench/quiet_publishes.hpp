#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

struct QuietShape {
  std::uint64_t size_bytes = 64;  ///< of each payload; a multiple of 16
  std::uint64_t counted = 0;      ///< publishes whose system calls are counted
  std::uint64_t stepped = 16;     ///< publishes whose every instruction is looked at
};

/// As many as half of such a ring holds, so that none waits for space; at least 1.
std::uint64_t publishes_to_count(std::uint64_t ring_bytes, std::uint64_t size_bytes) noexcept;

/// What publishing to partition 0 asks of kernel and processor while nobody sleeps: a consumer on
/// the second CPU spins, and what it publishes to partition 1 keeps the supervisor awake; a publish
/// that finds that asleep all the same is told apart. No figures; `more` has the counts, and
/// "per_publish", system calls and locked instructions together: null where half of the publishes
/// found the supervisor asleep. Every record is read and checked.
Measured quiet_publishes(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                         const QuietShape& shape);

}  // namespace ringway::cli
