#pragma once

#include <time.h>

#include <cstdint>

#include "tools/stage/latency_histogram.hpp"

namespace ringway::quickstart {

/// What record timestamps are compared with.
inline std::int64_t realtime_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// Of nanoseconds, true to 6 %.
using LatencyHistogram = cli::LatencyHistogram<4>;

}  // namespace ringway::quickstart
