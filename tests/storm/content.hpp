#pragma once

// What a record of the storm holds: who wrote it, its number among this producer's records of the
// partition, and bytes that follow from these, so that no torn or foreign byte goes unnoticed.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

namespace ringway::storm {

struct Content {
  std::uint32_t producer = 0;
  std::uint32_t partition = 0;
  std::uint64_t sequence = 0;
  std::uint32_t key = 0;  ///< number of the key it goes with; 0 for none

  bool operator==(const Content&) const = default;
};

namespace detail {

inline constexpr std::uint32_t kMagic = 0x4d524f54;

struct Head {
  std::uint32_t magic;
  std::uint32_t bytes;
  Content content;
};
static_assert(sizeof(Head) == 32);

/// splitmix64
inline std::uint64_t next(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

inline std::uint64_t begin(const Content& content) noexcept {
  return content.sequence * 0x9e3779b1 + (std::uint64_t{content.producer} << 40) +
         (std::uint64_t{content.partition} << 20) + content.key;
}

}  // namespace detail

inline constexpr std::size_t kContentBytesMin = sizeof(detail::Head);

inline std::string key_text(std::uint32_t key) {
  return "key-" + std::to_string(key);
}

/// Fills `to`, which is at least kContentBytesMin long.
inline void fill(std::span<std::byte> to, const Content& content) noexcept {
  const detail::Head head{detail::kMagic, static_cast<std::uint32_t>(to.size()), content};
  std::memcpy(to.data(), &head, sizeof head);
  std::uint64_t state = detail::begin(content);
  for (std::size_t at = sizeof head; at < to.size(); at += sizeof state) {
    const std::uint64_t word = detail::next(state);
    std::memcpy(to.data() + at, &word, std::min(sizeof word, to.size() - at));
  }
}

/// What the bytes say they are; nothing when one of them is not as fill() made it.
inline std::optional<Content> verified(std::span<const std::byte> from) noexcept {
  detail::Head head;
  if (from.size() < sizeof head) return {};
  std::memcpy(&head, from.data(), sizeof head);
  if (head.magic != detail::kMagic || head.bytes != from.size()) return {};
  std::uint64_t state = detail::begin(head.content);
  for (std::size_t at = sizeof head; at < from.size(); at += sizeof state) {
    const std::uint64_t word = detail::next(state);
    if (std::memcmp(from.data() + at, &word, std::min(sizeof word, from.size() - at)) != 0) {
      return {};
    }
  }
  return head.content;
}

}  // namespace ringway::storm
