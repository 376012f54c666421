#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ringway::shm {

enum class Parked : std::uint8_t {
  woken,        ///< Someone woke this word; also spuriously: look again.
  changed,      ///< The word no longer held the expected value; nobody slept.
  timeout,      ///< The time passed.
  interrupted,  ///< A signal handler ran.
};

/// Sleeps while `word` holds `expected`, until woken or the time is up. The word may lie in a
/// read-only mapping of shared memory; whoever wakes maps the same file.
Parked park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
            std::chrono::nanoseconds timeout) noexcept;

/// Wakes all that sleep on the word; returns how many.
int wake_all(const std::atomic<std::uint32_t>& word) noexcept;
/// The same for a word of this process, on which they sleep with FUTEX_PRIVATE_FLAG.
int wake_own(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace ringway::shm
