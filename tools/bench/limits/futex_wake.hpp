#pragma once

#include <chrono>

#include "tools/bench/cpus.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

/// How long the sleeper has slept by then.
inline constexpr std::chrono::microseconds kAsleepFor{200};

/// From before the wake call on the first CPU to the sleeper running again on the second one, which
/// had slept for kAsleepFor and nothing else there to do. `more`: what the call takes the waker.
Measured futex_wake(const CpuPair& cpus, const TickClock& clock, std::chrono::nanoseconds length);

}  // namespace ringway::cli
