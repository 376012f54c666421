#pragma once

// What a record of the storm holds: who wrote it, its number among this producer's records of the
// partition, and bytes that follow from these, so that no torn or foreign byte goes unnoticed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ringway/record.hpp>
#include <span>
#include <string>
#include <type_traits>

namespace ringway::storm {

struct Content {
  std::uint32_t producer = 0;
  std::uint32_t partition = 0;
  std::uint64_t sequence = 0;
  std::uint32_t key = 0;      ///< number of the key it goes with; 0 for none
  std::uint32_t headers = 0;  ///< how many it goes with

  bool operator==(const Content&) const = default;
};

namespace detail {

inline constexpr std::uint32_t kMagic = 0x4d524f54;

struct Head {
  std::uint32_t magic;
  std::uint32_t bytes;
  Content content;
  std::uint64_t check;  ///< follows from what is before it, as the bytes behind it do
};
static_assert(sizeof(Head) == 40 && std::has_unique_object_representations_v<Head>);

/// splitmix64
inline std::uint64_t next(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Each step is one to one: where one word differs, so does what comes out.
inline std::uint64_t begin(const Content& content, std::size_t bytes) noexcept {
  std::uint64_t state = bytes;
  for (const std::uint64_t word :
       {std::uint64_t{content.producer} << 32 | content.partition, content.sequence,
        std::uint64_t{content.key} << 32 | content.headers}) {
    state = next(state) ^ word;
  }
  return state;
}

}  // namespace detail

inline constexpr std::size_t kContentBytesMin = sizeof(detail::Head);

inline std::string key_text(std::uint32_t key) {
  return "key-" + std::to_string(key);
}

/// Fills `to`, which is at least kContentBytesMin long.
inline void fill(std::span<std::byte> to, const Content& content) noexcept {
  std::uint64_t state = detail::begin(content, to.size());
  const detail::Head head{detail::kMagic, static_cast<std::uint32_t>(to.size()), content,
                          detail::next(state)};
  std::memcpy(to.data(), &head, sizeof head);
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
  std::uint64_t state = detail::begin(head.content, from.size());
  if (head.check != detail::next(state)) return {};
  for (std::size_t at = sizeof head; at < from.size(); at += sizeof state) {
    const std::uint64_t word = detail::next(state);
    if (std::memcmp(from.data() + at, &word, std::min(sizeof word, from.size() - at)) != 0) {
      return {};
    }
  }
  return head.content;
}

/// What a record is, or what about it is not as its producer made it.
struct Judgement {
  std::optional<Content> content;
  const char* wrong = nullptr;
};

inline Judgement judged(const RecordView& record) {
  const auto content = verified(record.payload());
  if (!content) return {{}, "bytes"};
  if (content->partition != record.partition()) return {{}, "partition"};
  if (record.has_key() != (content->key != 0)) return {{}, "key"};
  if (record.has_key() && record.key() != key_text(content->key)) return {{}, "key"};
  std::uint32_t headers = 0;
  for (const Header& header : record.headers()) {
    ++headers;
    if (header.key.text() != "key" || header.value.text() != record.key()) return {{}, "header"};
  }
  if (headers != content->headers) return {{}, "header"};
  return {content};
}

}  // namespace ringway::storm
