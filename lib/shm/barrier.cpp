#include "shm/barrier.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/withheld.hpp"

namespace ringway::shm {
namespace {

long membarrier(int command) noexcept {
  return ::syscall(SYS_membarrier, command, 0, 0);
}

}  // namespace

const ProcessBarrier& ProcessBarrier::instance() {
  static const ProcessBarrier found = detect();
  return found;
}

ProcessBarrier ProcessBarrier::detect() noexcept {
  constexpr long kNeeded =
      MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
  const long commands = withheld("membarrier") ? -1 : membarrier(MEMBARRIER_CMD_QUERY);
  return ProcessBarrier(commands >= 0 && (commands & kNeeded) == kNeeded);
}

bool ProcessBarrier::register_process() const noexcept {
  return available_ && membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

bool ProcessBarrier::issue() const noexcept {
  return available_ && membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0;
}

}  // namespace ringway::shm
