#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringway::log {

/// A true record boundary: the position, and the offset of the record that starts there.
struct LogPoint {
  std::uint64_t position = 0;
  std::uint64_t offset = 0;

  friend bool operator==(const LogPoint&, const LogPoint&) = default;
};

/// A view of the record stream in memory that wraps: log position p lies at
/// (p - base_position) % bytes. Owns nothing. `data` is page aligned, `bytes` a multiple of 4 KiB,
/// `base_position` a multiple of 4 KiB. Which positions hold records is the caller's knowledge.
struct Stream {
  const std::byte* data;
  std::uint64_t bytes;
  std::uint64_t base_position;

  /// The bytes of [from, end), end - from <= bytes, in order; the second span may be empty.
  std::array<std::span<const std::byte>, 2> spans(std::uint64_t from,
                                                  std::uint64_t end) const noexcept {
    const std::uint64_t start = (from - base_position) % bytes;
    const std::uint64_t wanted = end - from;
    const std::uint64_t first = wanted < bytes - start ? wanted : bytes - start;
    return {std::span(data + start, first), std::span(data, wanted - first)};
  }
};

}  // namespace ringway::log
