#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ringway {

/// How one thread, or a signal handler, gets another out of a wait: a private word that the waiter
/// parks on together with the shared word it waits for. It stays raised until a wait takes it.
class Interrupt {
 public:
  /// Whether the kernel wakes a waiter for it. Where it does not wait on two words at a time (a
  /// seccomp filter from before Linux 5.16), an interrupt is noticed some milliseconds late.
  static bool wakes_at_once() noexcept;

  /// Any thread; async-signal-safe; keeps errno.
  void raise() noexcept;

  // Relaxed: a look, repeated at every wait.
  bool raised() const noexcept { return word_.load(std::memory_order::relaxed) != 0; }
  /// True once per raise.
  bool take() noexcept { return raised() && word_.exchange(0, std::memory_order::acquire) != 0; }

  /// Sleeps while `word` holds `expected` and nothing was raised, at most that long. The word may
  /// lie in a read-only mapping of shared memory. Wakes also for no reason: look again.
  void park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
            std::chrono::nanoseconds timeout) noexcept;

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace ringway
