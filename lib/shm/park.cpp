#include "shm/park.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

namespace ringway::shm {
namespace {

long futex(const std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  return ::syscall(SYS_futex, &word, operation, value, timeout, nullptr, 0);
}

}  // namespace

// Not FUTEX_PRIVATE_FLAG, as in wake_all: the sleepers live in other processes.
Parked park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
            std::chrono::nanoseconds timeout) noexcept {
  const auto left = std::max(timeout, std::chrono::nanoseconds::zero()).count();
  const timespec relative{static_cast<time_t>(left / 1'000'000'000), left % 1'000'000'000};
  if (futex(word, FUTEX_WAIT, expected, &relative) == 0) return Parked::woken;
  switch (errno) {
    case EAGAIN:
      return Parked::changed;
    case ETIMEDOUT:
      return Parked::timeout;
    case EINTR:
      return Parked::interrupted;
    default:
      return Parked::woken;  // the caller looks again, as after any wake-up
  }
}

int wake_all(const std::atomic<std::uint32_t>& word) noexcept {
  return static_cast<int>(futex(word, FUTEX_WAKE, INT_MAX, nullptr));
}

int wake_own(const std::atomic<std::uint32_t>& word) noexcept {
  return static_cast<int>(futex(word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr));
}

}  // namespace ringway::shm
