#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace ringway::cli {

/// What a process does many times over, and how much of it is looked at.
struct TracedActs {
  std::string name;  ///< of the process, for errors, top and perf
  int cpu;           ///< it is pinned there
  std::uint64_t counted;
  std::uint64_t stepped;
  /// Called there first, not looked at; what it returns is called counted + stepped times.
  std::function<std::function<void()>()> prepare;
};

/// What the kernel and the processor were asked for.
struct TracedCounts {
  std::uint64_t system_calls = 0;  ///< of all acts that were counted, but the doorbells
  std::uint64_t doorbells = 0;     ///< of them, too: writes of 8 bytes
  std::uint64_t stepped_alone = 0;         ///< acts that were stepped and rang no doorbell
  std::uint64_t locked = 0;                ///< instructions of these that lock memory
  std::uint64_t stepped_system_calls = 0;  ///< of these
};

/// Why nobody can be traced here; "" where it can be done.
std::string why_no_tracing();

/// Does the acts in a child that is stopped at each system call while it is counted, which costs
/// nothing between them, and behind each instruction while it is stepped. A doorbell is a write to
/// an eventfd, which wakes a supervisor that sleeps; an act that rings one is told apart. Throws
/// Error when the child cannot be traced or fails, Interrupted when a signal came.
TracedCounts trace(const TracedActs& acts);

}  // namespace ringway::cli
