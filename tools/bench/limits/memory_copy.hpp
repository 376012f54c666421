#pragma once

#include <chrono>
#include <cstdint>

#include "tools/bench/repeats.hpp"

namespace ringway::cli {

/// Where the bytes of a memory copy are.
struct MemoryCopyPlaces {
  std::uint64_t cached_bytes;  ///< source and target fit the first cache together
  std::uint64_t beyond_bytes;  ///< several times the last cache each, at most 256 MiB
};
/// Of this machine; of a usual one where it does not say.
MemoryCopyPlaces memory_copy_places();

/// memcpy() of so many bytes, over and over, by one process on `cpu`: bytes_per_s that were copied.
Measured memory_copy(int cpu, std::uint64_t bytes, std::chrono::nanoseconds length);

}  // namespace ringway::cli
