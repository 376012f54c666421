#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ringway::cli {

/// The CPUs that this process may run on, lowest first.
std::vector<int> allowed_cpus();

/// The two that benchmarks use.
struct CpuPair {
  int first;
  int second;
};
/// The first two allowed ones; nothing where there is only one.
std::optional<CpuPair> cpu_pair();
inline constexpr const char* kNeedsTwoCpus = "needs two CPUs";
/// "" where there are two.
inline std::string why_not_on_two_cpus() {
  return cpu_pair() ? "" : kNeedsTwoCpus;
}

/// From now on the calling process runs there only. Throws Error.
void pin_to(int cpu);

/// CPU time that the calling process has used, its threads' together.
std::chrono::nanoseconds cpu_time_used();
/// The same of another process, of the same user. Throws Error when there is none.
std::chrono::nanoseconds cpu_time_used_by(pid_t process);

}  // namespace ringway::cli
