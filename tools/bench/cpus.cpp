#include "tools/bench/cpus.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <time.h>

#include <cerrno>
#include <ringway/error.hpp>

namespace ringway::cli {

std::vector<int> allowed_cpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    throw system_error(errno, "the CPUs of this process", "sched_getaffinity");
  }
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  return cpus;
}

std::optional<CpuPair> cpu_pair() {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) return std::nullopt;
  return CpuPair{cpus[0], cpus[1]};
}

void pin_to(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0) {
    throw system_error(errno, fmt::format("CPU {}", cpu), "sched_setaffinity");
  }
}

std::chrono::nanoseconds cpu_time_used() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::chrono::nanoseconds cpu_time_used_by(pid_t process) {
  clockid_t clock;
  timespec used{};
  if (const int error = ::clock_getcpuclockid(process, &clock); error != 0) {
    throw system_error(error, fmt::format("CPU time of process {}", process),
                       "clock_getcpuclockid");
  }
  if (::clock_gettime(clock, &used) != 0) {
    throw system_error(errno, fmt::format("CPU time of process {}", process), "clock_gettime");
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace ringway::cli
