#include "shm/fork_guard.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <new>

#include "ringway/error.hpp"

namespace ringway::shm {
namespace {

using Word = std::atomic<std::uint64_t>;

// Counts the processes from the first down to this one. Unlike the word it is not wiped, so that a
// grandchild's word differs from its parent's.
std::atomic<std::uint64_t> generations{0};

Word& wiped_word() {
  static Word* const word = [] {
    constexpr std::size_t kBytes = 4096;
    void* page =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || ::madvise(page, kBytes, MADV_WIPEONFORK) != 0) {
      throw system_error(errno, "fork detection", "a page wiped on fork cannot be had");
    }
    return ::new (page) Word(0);
  }();
  return *word;
}

}  // namespace

ForkGuard::ForkGuard() : word_(&wiped_word()) {
  std::uint64_t seen = 0;
  // Relaxed: only the number matters. The first guard of a process names it.
  const std::uint64_t fresh = generations.load(std::memory_order_relaxed) + 1;
  if (wiped_word().compare_exchange_strong(seen, fresh, std::memory_order_relaxed)) {
    generations.store(fresh, std::memory_order_relaxed);
    seen = fresh;
  }
  born_ = seen;
}

}  // namespace ringway::shm
