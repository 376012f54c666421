#pragma once

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <immintrin.h>
#define XXH_DISPATCH_DISABLE_REPLACE
#include <xxh_x86dispatch.h>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringway::storage {

// XXH3 with the widest vectors that this processor has, where the library chooses among them: its
// plain functions use what every processor has. The value is the same.

#ifdef XXH_DISPATCH_DISABLE_REPLACE

/// Those functions return with the upper parts of vector registers in use, which slows down every
/// SSE instruction of whoever goes on.
[[gnu::target("avx"), gnu::noinline]] inline void free_upper_parts() noexcept {
  _mm256_zeroupper();
}

inline std::uint64_t xxh3(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  const std::uint64_t value = XXH3_64bits_withSeed_dispatch(bytes.data(), bytes.size(), seed);
  if (__builtin_cpu_supports("avx")) free_upper_parts();
  return value;
}

inline void xxh3_update(XXH3_state_t& state, std::span<const std::byte> bytes) noexcept {
  XXH3_64bits_update_dispatch(&state, bytes.data(), bytes.size());
  if (__builtin_cpu_supports("avx")) free_upper_parts();
}

#else

inline std::uint64_t xxh3(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

inline void xxh3_update(XXH3_state_t& state, std::span<const std::byte> bytes) noexcept {
  XXH3_64bits_update(&state, bytes.data(), bytes.size());
}

#endif

/// XXH3, 64 bits. The seed says what the bytes are part of: equal bytes elsewhere do not verify.
inline std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return xxh3(bytes, seed);
}

/// The same checksum of bytes that come in pieces; its value can be asked for at any time.
class RunningChecksum {
 public:
  explicit RunningChecksum(std::uint64_t seed) noexcept {
    XXH3_INITSTATE(&state_);  // restart() goes by what stands in it
    restart(seed);
  }

  void restart(std::uint64_t seed) noexcept { XXH3_64bits_reset_withSeed(&state_, seed); }
  void add(std::span<const std::byte> bytes) noexcept { xxh3_update(state_, bytes); }
  std::uint64_t value() const noexcept { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace ringway::storage
