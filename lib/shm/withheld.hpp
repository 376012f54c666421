#pragma once

#include <string_view>

namespace ringway::shm {

/// Whether the environment asks to do without a kernel feature, so that its fallback can be tested:
/// RINGWAY_WITHOUT is a comma-separated list of "membarrier", "peerpidfd", "tsc", "futex_waitv",
/// "io_uring", "o_direct". `status` shows what supervisor and clients do without, but for the last.
/// For tests only. Read anew at every call: not for the hot path.
bool withheld(std::string_view feature) noexcept;

}  // namespace ringway::shm
