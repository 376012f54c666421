#pragma once

#include <cstdint>

#include "ringway/topic.hpp"

namespace ringway {

/// Where keyless records go: one partition until it took a batch of bytes, then the next, so that
/// few partitions are touched at a time and all of them evenly. One thread at a time.
class KeylessTurn {
 public:
  /// As a batch: it is always the first one's turn.
  static constexpr std::uint64_t kStays = ~std::uint64_t{0};

  KeylessTurn(std::uint32_t partitions, std::uint32_t first, std::uint64_t batch_bytes) noexcept
      : partitions_(partitions), current_(first % partitions), batch_bytes_(batch_bytes) {}

  std::uint32_t partition() const noexcept { return current_; }

  /// The current partition took that much.
  void took(std::uint64_t bytes) noexcept {
    taken_ += bytes;
    if (taken_ < batch_bytes_) return;
    taken_ = 0;
    current_ = current_ + 1 == partitions_ ? 0 : current_ + 1;
  }

 private:
  std::uint32_t partitions_;
  std::uint32_t current_;
  std::uint64_t batch_bytes_;
  std::uint64_t taken_ = 0;
};

}  // namespace ringway
