#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// What the records of a benchmark hold, so that every byte of each can be checked: its i-th word of
// 8 bytes is `number + i * kStep`. A byte of another record, or at another place, shows. Ringway's
// records and the limit's slots are filled and checked by the same code. Sizes are multiples of 16.

namespace ringway::cli::content {

inline constexpr std::size_t kGranule = 16;
inline constexpr std::size_t kLineBytes = 64;
inline constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;  // odd, and no bit pattern repeats in it

using Words = std::uint64_t __attribute__((vector_size(16)));

inline Words load(const std::byte* from) noexcept {
  Words words;
  std::memcpy(&words, from, sizeof words);
  return words;
}

/// Where fill() puts words. Ahead of a place it may ask for lines.
struct PlainStores {
  static void store(std::byte* to, Words words) noexcept { std::memcpy(to, &words, sizeof words); }
  static void ahead(std::byte*) noexcept {}
};

/// The line's owner is asked for it before it is written.
template <std::size_t kLinesAhead>
struct OwnedStores : PlainStores {
  static void ahead(std::byte* to) noexcept {
    std::byte* line = to + kLinesAhead * kLineBytes;
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*line));
#else
    __builtin_prefetch(line, 1);
#endif
  }
};

#if defined(__SSE2__)
/// Past the caches. 16-byte aligned places; finish() before anything else tells of them.
struct StreamedStores {
  static void store(std::byte* to, Words words) noexcept {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), reinterpret_cast<__m128i&>(words));
  }
  static void ahead(std::byte*) noexcept {}
};
#endif

template <class Stores = PlainStores>
inline void fill(std::byte* to, std::size_t bytes, std::uint64_t number) noexcept {
  constexpr Words kPair{2 * kStep, 2 * kStep};
  Words words{number, number + kStep};
  for (; bytes >= kLineBytes; bytes -= kLineBytes, to += kLineBytes) {
    Stores::ahead(to);
    Stores::store(to, words);
    Stores::store(to + 16, words + kPair);
    Stores::store(to + 32, words + 2 * kPair);
    Stores::store(to + 48, words + 3 * kPair);
    words += 4 * kPair;
  }
  if (bytes != 0) Stores::ahead(to);
  for (; bytes != 0; bytes -= kGranule, to += kGranule, words += kPair) Stores::store(to, words);
}

/// 0 when all of it is what fill() wrote. Differences of many records may be or-ed together.
inline std::uint64_t differences(const std::byte* from, std::size_t bytes,
                                 std::uint64_t number) noexcept {
  constexpr Words kPair{2 * kStep, 2 * kStep};
  Words words{number, number + kStep};
  Words found{};
  for (; bytes >= kLineBytes; bytes -= kLineBytes, from += kLineBytes) {
    found |= (load(from) ^ words) | (load(from + 16) ^ (words + kPair)) |
             (load(from + 32) ^ (words + 2 * kPair)) | (load(from + 48) ^ (words + 3 * kPair));
    words += 4 * kPair;
  }
  for (; bytes != 0; bytes -= kGranule, from += kGranule, words += kPair) {
    found |= load(from) ^ words;
  }
  return found[0] | found[1];
}

/// The number that a record's first word says. To be believed once differences() does.
inline std::uint64_t number_in(const std::byte* from) noexcept {
  std::uint64_t number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

}  // namespace ringway::cli::content
