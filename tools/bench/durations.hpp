#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ringway::cli {

/// Durations as they were measured, all of them kept: quantiles are exact.
class Durations {
 public:
  void add(std::chrono::nanoseconds one) {
    const auto place = std::upper_bound(sorted_.begin(), sorted_.end(), one);
    sorted_.insert(place, one);
  }
  void add(const Durations& others) {
    sorted_.insert(sorted_.end(), others.sorted_.begin(), others.sorted_.end());
    std::sort(sorted_.begin(), sorted_.end());
  }

  std::size_t size() const noexcept { return sorted_.size(); }
  /// The smallest one that `share` (0..1) of all do not exceed; 0 when there are none.
  std::chrono::nanoseconds quantile(double share) const noexcept {
    if (sorted_.empty()) return {};
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted_.size()) - 1e-9));
    return sorted_[std::clamp<std::size_t>(rank, 1, sorted_.size()) - 1];
  }
  std::chrono::nanoseconds max() const noexcept { return quantile(1); }

 private:
  std::vector<std::chrono::nanoseconds> sorted_;
};

}  // namespace ringway::cli
