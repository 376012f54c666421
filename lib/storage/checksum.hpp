#pragma once

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringway::storage {

/// XXH3, 64 bits. The seed says what the bytes are part of: equal bytes elsewhere do not verify.
inline std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

/// The same checksum of bytes that come in pieces; its value can be asked for at any time.
class RunningChecksum {
 public:
  explicit RunningChecksum(std::uint64_t seed) noexcept {
    XXH3_INITSTATE(&state_);  // restart() goes by what stands in it
    restart(seed);
  }

  void restart(std::uint64_t seed) noexcept { XXH3_64bits_reset_withSeed(&state_, seed); }
  void add(std::span<const std::byte> bytes) noexcept {
    XXH3_64bits_update(&state_, bytes.data(), bytes.size());
  }
  std::uint64_t value() const noexcept { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace ringway::storage
