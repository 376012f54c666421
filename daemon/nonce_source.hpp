#pragma once

#include <cstdint>

namespace ringway::daemon {

/// Draws the numbers that make commit stamps unforgeable: straight from the kernel, some ahead. One
/// thread at a time. Never throws; waits for the kernel's generator at an early boot.
class NonceSource {
 public:
  std::uint64_t operator()() noexcept;

 private:
  static constexpr unsigned kAhead = 32;
  std::uint64_t drawn_[kAhead];
  unsigned left_ = 0;
};

}  // namespace ringway::daemon
