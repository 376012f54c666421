#pragma once

#include <optional>

#include "tools/bench/cpus.hpp"
#include "tools/bench/ticks.hpp"

namespace ringway::cli {

/// How long it takes that one CPU sees what another one stored in a cache line, nanoseconds: half a
/// round trip of one line between two processes that spin on it. A tenth of the runs of round trips
/// are as quick or quicker: who is scheduled away in between does not show. Takes about 30 ms, or
/// some times as long where others keep both CPUs busy. Nothing when the two hardly ever ran at
/// once.
std::optional<double> line_time_ns(const CpuPair& cpus, const TickClock& clock);

}  // namespace ringway::cli
