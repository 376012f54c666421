#pragma once

#include <cstdint>

#include "layout/board.hpp"
#include "layout/ring.hpp"

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

/// Which nonce covers a position. This is on everybody's way: not more than a shift.
constexpr std::uint32_t nonce_index(std::uint64_t position,
                                    const layout::TailCodec& codec) noexcept {
  return static_cast<std::uint32_t>(position >> codec.segment_bits()) % layout::kNonces;
}

/// What commits a record: a word that nobody could have known when the bytes under it were last
/// writable, because its nonce was drawn after all of them were durable.
constexpr std::uint64_t stamp_of(std::uint64_t position, std::uint64_t nonce) noexcept {
  return mix(position) ^ nonce;
}

}  // namespace ringway::ring
