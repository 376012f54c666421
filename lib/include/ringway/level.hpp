#pragma once

#include <chrono>
#include <cstdint>

namespace [[gnu::visibility("default")]] ringway {

/// What a record has reached (G2).
enum class Level : std::uint8_t {
  committed,  ///< visible to consumers; survives the death of any process
  written,    ///< in the file system; survives the loss of the shared memory
  durable,    ///< synced to the device; survives power loss
};

/// How long a call may wait; 0 looks once, `forever` waits until it is done or interrupted.
using Timeout = std::chrono::nanoseconds;
inline constexpr Timeout forever = Timeout::max();

}  // namespace ringway
