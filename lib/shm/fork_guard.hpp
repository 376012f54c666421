#pragma once

#include <atomic>
#include <cstdint>

namespace ringway::shm {

/// Tells a handle that it woke up in a forked child of the process that opened it. The kernel wipes
/// the word in every child (MADV_WIPEONFORK); a guard made in the child belongs to the child.
/// One relaxed load and a compare: fit for the hot path, any thread.
class ForkGuard {
 public:
  /// @throws Error when the page cannot be had.
  ForkGuard();

  bool in_child() const noexcept { return word_->load(std::memory_order_relaxed) != born_; }

 private:
  const std::atomic<std::uint64_t>* word_;
  std::uint64_t born_;
};

}  // namespace ringway::shm
