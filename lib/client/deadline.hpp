#pragma once

#include <algorithm>
#include <chrono>

#include "ringway/level.hpp"

namespace ringway {

/// The moment a call has to give up. Reads the clock only where it must.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Deadline(Timeout timeout) noexcept
      : kind_(timeout <= Timeout::zero() ? Kind::now
              : timeout >= kUnlimited    ? Kind::never
                                         : Kind::moment) {
    if (kind_ == Kind::moment) end_ = Clock::now() + timeout;
  }

  bool passed() const noexcept {
    return kind_ == Kind::now || (kind_ == Kind::moment && Clock::now() >= end_);
  }
  /// How long a sleep may be: what is left, but at most `bound`.
  Timeout sleep(Timeout bound) const noexcept {
    if (kind_ == Kind::never) return bound;
    if (kind_ == Kind::now) return Timeout::zero();
    return std::clamp<Timeout>(end_ - Clock::now(), Timeout::zero(), bound);
  }

 private:
  // Longer is not worth a clock: and adding it to a time point could overflow.
  static constexpr Timeout kUnlimited = std::chrono::hours(24 * 365 * 50);
  enum class Kind : unsigned char { now, moment, never };

  Kind kind_;
  Clock::time_point end_{};
};

}  // namespace ringway
