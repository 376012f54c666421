#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

namespace ringway::cli {

/// A steady rate, kept in ticks of a millisecond, or of one record where there are fewer. What a
/// pause held up is not made up for, beyond one tick: who is held up is slower.
class Pace {
 public:
  /// From now on.
  explicit Pace(std::uint64_t records_per_s)
      : records_(std::max<std::uint64_t>(1, records_per_s / 1000)),
        tick_(std::chrono::nanoseconds(std::chrono::seconds(1)) *
              static_cast<std::int64_t>(records_) / static_cast<std::int64_t>(records_per_s)),
        due_(std::chrono::steady_clock::now()) {}

  /// Of one tick.
  std::uint64_t records() const noexcept { return records_; }
  /// Sleeps until the next one.
  void rest() {
    due_ = std::max(due_ + tick_, std::chrono::steady_clock::now() - tick_);
    std::this_thread::sleep_until(due_);
  }

 private:
  std::uint64_t records_;
  std::chrono::nanoseconds tick_;
  std::chrono::steady_clock::time_point due_;
};

}  // namespace ringway::cli
