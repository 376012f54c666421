#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringway::daemon {

/// Partitions of a topic, named for people; however many they are, in few words.
class PartitionRuns {
 public:
  /// In rising order.
  void add(std::uint32_t partition) {
    const bool goes_on = count_ != 0 && last_ + 1 == partition;
    if (!goes_on && ++runs_ <= kNamed) named_.emplace_back(partition, partition);
    if (runs_ <= kNamed) named_.back().second = partition;
    last_ = partition;
    ++count_;
  }

  /// "partition 3"; "partitions 0 to 9, 12"
  std::string text() const {
    std::string which;
    for (const auto& [first, last] : named_) {
      which += which.empty() ? "" : ", ";
      which += first == last ? fmt::format("{}", first) : fmt::format("{} to {}", first, last);
    }
    if (runs_ > kNamed) which += fmt::format(" and others, {} in all", count_);
    return fmt::format("partition{} {}", count_ == 1 ? "" : "s", which);
  }

 private:
  static constexpr std::size_t kNamed = 8;

  std::vector<std::pair<std::uint32_t, std::uint32_t>> named_;  // first and last of each run
  std::size_t runs_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t last_ = 0;
};

}  // namespace ringway::daemon
