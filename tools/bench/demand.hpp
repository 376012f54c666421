#pragma once

#include <cstdint>
#include <limits>

namespace ringway::cli {

/// The most that a benchmark takes of the machine, what it takes of Spare not counted.
struct Demand {
  std::uint64_t written_bytes = 0;  ///< to the disk, in all
  std::uint64_t disk_bytes = 0;     ///< of it at once
  std::uint64_t memory_bytes = 0;   ///< at once
};

/// What a log of so many bytes of records writes, at most: what is around them, and what a topic
/// begins with.
constexpr std::uint64_t log_bytes_max(std::uint64_t bytes) noexcept {
  return bytes + bytes / 128 + (std::uint64_t{1} << 20);
}

/// What a bus of its own writes, at most, whatever is done with it: its catalog, and what it says.
inline constexpr std::uint64_t kWrittenPerBus = 2 << 20;

/// What a benchmark may write beyond its demand: repeats that are done again, and what a fast disk
/// takes until it was written to for long enough.
class Spare {
 public:
  explicit Spare(std::uint64_t bytes) noexcept : bytes_(bytes) {}

  std::uint64_t bytes() const noexcept { return bytes_; }
  /// False, and nothing is taken, where so much is not there.
  bool take(std::uint64_t bytes) noexcept {
    if (bytes > bytes_) return false;
    bytes_ -= bytes;
    return true;
  }

 private:
  std::uint64_t bytes_;
};

/// Of who runs alone.
inline constexpr std::uint64_t kSpareUnbounded = std::numeric_limits<std::uint64_t>::max();

}  // namespace ringway::cli
