#include "client/interrupt.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "shm/park.hpp"
#include "shm/withheld.hpp"

namespace ringway {
namespace {

// Where the kernel will not wait on two words, an interrupt is noticed this late.
constexpr std::chrono::milliseconds kUnheardMax{10};

timespec monotonic_after(std::chrono::nanoseconds timeout) noexcept {
  timespec when{};
  ::clock_gettime(CLOCK_MONOTONIC, &when);
  const auto ns = when.tv_nsec + timeout.count();
  when.tv_sec += ns / 1'000'000'000;
  when.tv_nsec = ns % 1'000'000'000;
  return when;
}

}  // namespace

bool Interrupt::wakes_at_once() noexcept {
  static const bool known = [] {
    if (shm::withheld("futex_waitv")) return false;
    // No words to wait on: refused as an invalid argument by a kernel that knows the call.
    const int error_before = errno;
    const bool there =
        ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) >= 0 || errno == EINVAL;
    errno = error_before;
    return there;
  }();
  return known;
}

void Interrupt::raise() noexcept {
  const int error_before = errno;
  word_.store(1, std::memory_order::release);
  shm::wake_own(word_);
  errno = error_before;
}

void Interrupt::park(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                     std::chrono::nanoseconds timeout) noexcept {
  if (!wakes_at_once()) {
    shm::park(word, expected, std::min<std::chrono::nanoseconds>(timeout, kUnheardMax));
    return;
  }
  futex_waitv words[2] = {};
  words[0].uaddr = reinterpret_cast<std::uintptr_t>(&word);
  words[0].val = expected;
  words[0].flags = FUTEX_32;
  words[1].uaddr = reinterpret_cast<std::uintptr_t>(&word_);
  words[1].val = 0;
  words[1].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
  const timespec until = monotonic_after(std::max(timeout, std::chrono::nanoseconds::zero()));
  static_cast<void>(::syscall(SYS_futex_waitv, words, 2, 0, &until, CLOCK_MONOTONIC));
}

}  // namespace ringway
