#pragma once

#include <bit>
#include <cstdint>

#include "layout/board.hpp"

namespace ringway::ring {

/// Spreads a position over 64 bits, so that neighbouring stamps share nothing. The finalizer of
/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
constexpr std::uint64_t mix(std::uint64_t position) noexcept {
  std::uint64_t z = position + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

constexpr std::uint64_t ring_segment_bytes(std::uint64_t ring_bytes) noexcept {
  return ring_bytes / layout::kRingSegments;
}

/// Which nonce covers a position.
constexpr std::uint32_t nonce_index(std::uint64_t position, std::uint64_t ring_bytes) noexcept {
  static_assert(std::has_single_bit(layout::kRingSegments));
  // A shift, as both are powers of two: this is on everybody's way, and a division takes longer
  // than the rest of it.
  const int shift = std::countr_zero(ring_bytes) - std::countr_zero(layout::kRingSegments);
  return static_cast<std::uint32_t>(position >> shift) % layout::kNonces;
}

/// What commits a record: a word that nobody could have known when the bytes under it were last
/// writable, because its nonce was drawn after all of them were durable.
constexpr std::uint64_t stamp_of(std::uint64_t position, std::uint64_t nonce) noexcept {
  return mix(position) ^ nonce;
}

}  // namespace ringway::ring
