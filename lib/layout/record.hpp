#pragma once

// Transient in the ring and durable in segments: the same bytes in both (native = little-endian).
//
//   position (32-byte unit)
//   v
//   +---------------- 32 bytes -----------------+---------+-----+---------+---------+
//   | stamp | sizes | timestamp | kind, flags   | payload | key | headers | padding |
//   +-------------------------------------------+---------+-----+---------+---------+
//
// The payload comes first so that it starts on a 32-byte boundary. Headers are a run of
// { u16 key_bytes, u16 value_bytes, key, value }.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>

namespace ringway::layout {

static_assert(std::endian::native == std::endian::little, "ring and log share little-endian bytes");

/// Records start on multiples of this, so that no header straddles a cache line.
inline constexpr std::uint64_t kUnitBytes = 32;

enum class RecordKind : std::uint8_t {
  data = 1,
  skip = 2,  ///< An aborted or repaired claim, or filler: uses up offsets, never delivered.
};

enum RecordFlags : std::uint8_t {
  kHasKey = 1,  ///< Tells an empty key from no key.
};

struct RecordHeader {
  std::uint64_t stamp;  ///< Ring: proof of commit (ring/stamp.hpp). Segments: of no meaning.
  std::uint32_t payload_bytes;  ///< data: the value's length. skip: bytes behind this header.
  std::uint32_t producer;       ///< data: producer identity. skip: how many offsets it uses up.
  std::int64_t timestamp_ns;    ///< CLOCK_REALTIME nanoseconds at claim; 0 in a skip.
  std::uint16_t key_bytes;
  std::uint16_t headers_bytes;
  std::uint8_t kind;   ///< RecordKind
  std::uint8_t flags;  ///< RecordFlags
  std::uint16_t reserved;
};

static_assert(sizeof(RecordHeader) == kUnitBytes);
static_assert(offsetof(RecordHeader, stamp) == 0);
static_assert(offsetof(RecordHeader, payload_bytes) == 8);
static_assert(offsetof(RecordHeader, producer) == 12);
static_assert(offsetof(RecordHeader, timestamp_ns) == 16);
static_assert(offsetof(RecordHeader, key_bytes) == 24);
static_assert(offsetof(RecordHeader, headers_bytes) == 26);
static_assert(offsetof(RecordHeader, kind) == 28);
static_assert(offsetof(RecordHeader, flags) == 29);
static_assert(std::is_trivially_copyable_v<RecordHeader>);

/// What a data record's header says behind its stamp.
struct DataHeader {
  std::uint32_t payload_bytes;
  std::uint32_t producer;
  std::int64_t timestamp_ns;
  std::uint16_t key_bytes;
  std::uint16_t headers_bytes;
  bool has_key;
};

/// Writes all of a data record's header but its stamp. By words that are put together in registers:
/// fields written to memory one by one and copied on from there wait for each store before them.
inline void store_data_header(std::byte* to, const DataHeader& header) noexcept {
  const std::uint64_t words[] = {
      header.payload_bytes | std::uint64_t{header.producer} << 32,
      static_cast<std::uint64_t>(header.timestamp_ns),
      header.key_bytes | std::uint64_t{header.headers_bytes} << 16 |
          std::uint64_t{static_cast<std::uint8_t>(RecordKind::data)} << 32 |
          (header.has_key ? std::uint64_t{kHasKey} : 0) << 40};
  static_assert(sizeof(RecordHeader::stamp) + sizeof words == sizeof(RecordHeader));
  for (std::size_t i = 0; i < std::size(words); ++i) {
    std::memcpy(to + sizeof(RecordHeader::stamp) + i * sizeof words[i], &words[i], sizeof words[i]);
  }
}

/// A header of either kind without its stamp, as words: what is put together in memory is slow to
/// load as a whole.
struct HeaderWords {
  std::uint64_t sizes;  ///< payload_bytes, producer
  std::uint64_t time;   ///< timestamp_ns
  std::uint64_t rest;   ///< everything from key_bytes on

  std::uint32_t payload_bytes() const noexcept { return static_cast<std::uint32_t>(sizes); }
  std::uint32_t producer() const noexcept { return static_cast<std::uint32_t>(sizes >> 32); }
  std::int64_t timestamp_ns() const noexcept { return static_cast<std::int64_t>(time); }
};

inline HeaderWords load_words(const std::byte* from) noexcept {
  HeaderWords words;
  std::memcpy(&words.sizes, from + offsetof(RecordHeader, payload_bytes), sizeof words.sizes);
  std::memcpy(&words.time, from + offsetof(RecordHeader, timestamp_ns), sizeof words.time);
  std::memcpy(&words.rest, from + offsetof(RecordHeader, key_bytes), sizeof words.rest);
  return words;
}

/// What the words say. Its stamp is 0.
constexpr RecordHeader header_of(const HeaderWords& words) noexcept {
  return {.stamp = 0,
          .payload_bytes = static_cast<std::uint32_t>(words.sizes),
          .producer = static_cast<std::uint32_t>(words.sizes >> 32),
          .timestamp_ns = static_cast<std::int64_t>(words.time),
          .key_bytes = static_cast<std::uint16_t>(words.rest),
          .headers_bytes = static_cast<std::uint16_t>(words.rest >> 16),
          .kind = static_cast<std::uint8_t>(words.rest >> 32),
          .flags = static_cast<std::uint8_t>(words.rest >> 40),
          .reserved = static_cast<std::uint16_t>(words.rest >> 48)};
}

inline RecordHeader load_header(const std::byte* from) noexcept {
  return header_of(load_words(from));
}

inline constexpr std::uint64_t kKeyBytesMax = 65535;
inline constexpr std::uint64_t kHeadersBytesMax = 65535;

constexpr std::uint64_t round_up_to_unit(std::uint64_t bytes) noexcept {
  return (bytes + kUnitBytes - 1) & ~(kUnitBytes - 1);
}

/// Bytes a record takes in ring and log: header, body and padding.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes, std::uint64_t key_bytes,
                                     std::uint64_t headers_bytes) noexcept {
  return round_up_to_unit(sizeof(RecordHeader) + payload_bytes + key_bytes + headers_bytes);
}

/// The same, read from a header that was copied out first. Never 0; at most about 4 GiB.
constexpr std::uint64_t record_bytes(const RecordHeader& header) noexcept {
  return record_bytes(header.payload_bytes, header.key_bytes, header.headers_bytes);
}

/// How many offsets the record uses up: 1, or what a skip says (0 for filler).
constexpr std::uint64_t record_offsets(const RecordHeader& header) noexcept {
  return header.kind == static_cast<std::uint8_t>(RecordKind::skip) ? header.producer : 1;
}

/// The header of a skip over `bytes` (a multiple of the unit, at least one) and `offsets`.
constexpr RecordHeader skip_header(std::uint64_t bytes, std::uint64_t offsets) noexcept {
  RecordHeader header{};
  header.payload_bytes = static_cast<std::uint32_t>(bytes - sizeof(RecordHeader));
  header.producer = static_cast<std::uint32_t>(offsets);
  header.kind = static_cast<std::uint8_t>(RecordKind::skip);
  return header;
}

/// Whether a header copied from untrusted memory can be followed: known kind, a size that stays
/// within `bytes_max` (the distance to the bound the caller trusts), offsets that fit its size.
[[gnu::always_inline]] constexpr bool plausible(const RecordHeader& header,
                                                std::uint64_t bytes_max) noexcept {
  const std::uint64_t bytes = record_bytes(header);
  if (bytes > bytes_max) return false;
  if (header.kind == static_cast<std::uint8_t>(RecordKind::data)) return true;
  return header.kind == static_cast<std::uint8_t>(RecordKind::skip) && header.key_bytes == 0 &&
         header.headers_bytes == 0 && header.producer <= bytes / kUnitBytes;
}

}  // namespace ringway::layout
