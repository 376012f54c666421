#include "daemon/short_slice.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace ringway::daemon {
namespace {

/// The shortest there is (Linux, kernel/sched/syscalls.c).
constexpr std::uint64_t kSliceNs = 100'000;

/// The kernel's sched_attr in its first version: the header that has it cannot be included beside
/// <sched.h>, and there are no wrappers for the calls.
struct Attributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
};
static_assert(sizeof(Attributes) == 48);

constexpr std::int32_t kNice = 10;

}  // namespace

void let_others_go_first() noexcept {
  Attributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.policy = SCHED_BATCH;
  attributes.nice = std::max(attributes.nice, kNice);
  attributes.runtime = 0;
  static_cast<void>(::syscall(SYS_sched_setattr, 0, &attributes, 0));
}

void ask_for_short_slices() noexcept {
  Attributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime = kSliceNs;
  // Refused in some containers: a matter of speed, not of what is promised.
  static_cast<void>(::syscall(SYS_sched_setattr, 0, &attributes, 0));
}

}  // namespace ringway::daemon
