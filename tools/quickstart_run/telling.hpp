#pragma once

#include <chrono>

#include "tools/quickstart_run/roles.hpp"

namespace ringway::quickstart {

/// Sends a role's report to the parent, twenty times a second, and times the role.
class Telling {
 public:
  explicit Telling(Channel& parent) noexcept : parent_(parent) {}

  /// Call with every record or batch; looks at the clock only every thousandth time.
  void now_and_then(const Report& report) {
    if (++calls_ % 1000 == 0) maybe(report);
  }
  void maybe(const Report& report) {
    const auto now = Clock::now();
    if (now - told_ < std::chrono::milliseconds(50)) return;
    told_ = now;
    parent_.send(report);
  }
  double seconds() const noexcept {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;

  Channel& parent_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point told_ = begin_;
  std::uint64_t calls_ = 0;
};

}  // namespace ringway::quickstart
