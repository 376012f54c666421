#pragma once

#include <chrono>
#include <cstdint>
#include <ringway/consumer.hpp>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

struct WakeShape {
  std::uint64_t size_bytes = 64;  ///< of each payload; a multiple of 16
  WaitStrategy wait = WaitStrategy::adaptive;
};

/// From before a record is claimed on the first CPU to when it was seen and checked by a consumer
/// on the second one, which had slept for kAsleepFor (limits/futex_wake.hpp): so long ago the
/// kernel said that it sleeps, and it has slept once and no more. `more`: how many "samples", and
/// what publishing takes the one who wakes. Opens and closes everything.
Measured wake_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                      const WakeShape& shape, const TickClock& clock,
                      std::chrono::nanoseconds length);

}  // namespace ringway::cli
