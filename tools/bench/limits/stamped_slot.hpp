#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tools/bench/content.hpp"

// A slot that says by itself whether its record is there: the first word of the content, the
// record's number, is stored last (release), and looked at first (acquire).

namespace ringway::cli::stamped_slot {

inline std::atomic_ref<std::uint64_t> stamp(std::byte* at) noexcept {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(at));
}

/// Everything but the first word.
template <class Stores>
void fill_behind_stamp(std::byte* at, std::size_t bytes, std::uint64_t number) noexcept {
  Stores::ahead(at);
  content::fill<Stores>(at + content::kGranule, bytes - content::kGranule,
                        number + 2 * content::kStep);
  const std::uint64_t second = number + content::kStep;
  std::memcpy(at + sizeof second, &second, sizeof second);
}

inline void publish(std::byte* at, std::uint64_t number) noexcept {
  stamp(at).store(number, std::memory_order::release);
}

inline bool holds(std::byte* at, std::uint64_t number) noexcept {
  return stamp(at).load(std::memory_order::acquire) == number;
}

}  // namespace ringway::cli::stamped_slot
