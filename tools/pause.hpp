#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "client/interrupt.hpp"

namespace ringway::cli {

/// A wait between two looks that a StopSignal ends. Owned by one verb; one thread waits.
class InterruptiblePause {
 public:
  /// Async-signal-safe; also ends a wait that begins later.
  void interrupt() noexcept { interrupt_.raise(); }

  /// False when it was interrupted.
  bool wait(std::chrono::nanoseconds length) noexcept {
    const auto end = std::chrono::steady_clock::now() + length;
    while (!interrupt_.take()) {
      const auto left = end - std::chrono::steady_clock::now();
      if (left <= std::chrono::nanoseconds(0)) return true;
      interrupt_.park(never_changes_, 0, left);
    }
    return false;
  }

 private:
  Interrupt interrupt_;
  std::atomic<std::uint32_t> never_changes_{0};
};

}  // namespace ringway::cli
