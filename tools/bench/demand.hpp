#pragma once

#include <cstdint>

namespace ringway::cli {

/// The most that a benchmark takes of the machine, repeats that are done again included.
struct Demand {
  std::uint64_t written_bytes = 0;  ///< to the disk, in all
  std::uint64_t disk_bytes = 0;     ///< of it at once
  std::uint64_t memory_bytes = 0;   ///< at once
};

}  // namespace ringway::cli
