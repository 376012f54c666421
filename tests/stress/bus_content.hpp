#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <ringway/record.hpp>

#include "ring/stamp.hpp"

namespace ringway::stress {

inline constexpr std::uint32_t kProducers = 2;
inline constexpr std::size_t kPayloadBytes = 64;

/// The 64 bytes that the `sequence`-th record of a producer carries; all of them follow from the
/// two.
using Payload = std::array<std::uint64_t, kPayloadBytes / 8>;

inline Payload payload_of(std::uint64_t producer, std::uint64_t sequence) noexcept {
  Payload payload{producer, sequence};
  for (std::size_t i = 2; i < payload.size(); ++i) {
    payload[i] = ring::mix(sequence ^ (producer << 56) ^ (i << 48));
  }
  return payload;
}

/// Judges one consumer's records: each offset once and in order, each producer's records once and
/// in order, each with its bytes.
struct Judge {
  std::uint64_t next_offset = 0;
  std::array<std::uint64_t, kProducers> next_sequence{};
  std::uint64_t wrong_offset = 0;
  std::uint64_t wrong_sequence = 0;
  std::uint64_t wrong_bytes = 0;

  void see(const RecordView& record) noexcept {
    wrong_offset += record.offset() != next_offset;
    next_offset = record.offset() + 1;
    Payload payload{};
    if (record.payload().size() != sizeof payload) {
      ++wrong_bytes;
      return;
    }
    std::memcpy(&payload, record.payload().data(), sizeof payload);
    const auto [producer, sequence] = std::pair(payload[0], payload[1]);
    if (producer >= kProducers || payload != payload_of(producer, sequence)) {
      ++wrong_bytes;
      return;
    }
    wrong_sequence += sequence != next_sequence[producer];
    next_sequence[producer] = sequence + 1;
  }
};

}  // namespace ringway::stress
