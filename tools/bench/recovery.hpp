#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/result.hpp"
#include "tools/command_line.hpp"
#include "tools/stage/private_bus.hpp"

// A long log whose ring is lost: how soon a new supervisor serves with it.

namespace ringway::cli {

inline constexpr const char* kRecoveryName = "recover";
inline constexpr const char* kRecoveryAbout =
    "a new supervisor opens a log that is not in memory and was being written when the old one and "
    "its keeper were killed -9";
inline constexpr const char* kRecoveryTimed = "start of the new one to its first greeting";

/// --log-bytes, and a number of starts.
struct RecoveryOptions {
  std::string log = "10GiB";

  void add_to(CLI::App& verb);
  /// Throws Error(usage) where it is too little.
  std::uint64_t log_bytes() const;
};

/// What is lost.
struct LongLog {
  std::string topic;         ///< persisted, of one partition
  std::uint64_t size_bytes;  ///< of each record: all of them are numbered producers'
  std::uint64_t bytes;       ///< it is written on until there are so many
};

/// What all of it writes and leaves in the log of a topic that is empty before.
std::uint64_t recovery_bytes_max(std::uint64_t log_bytes, std::uint32_t starts);

struct Recovery {
  Durations starts;
  std::uint64_t log_bytes = 0;  ///< durable before the first kill
};

/// Kills the supervisor of `bus` and its keeper while the log is written to at full speed, has the
/// page cache forget it, starts another one, and so on, `starts` times; each then has the log's
/// beginning and what was durable. Throws Error where it has not, and Interrupted.
Recovery recover(PrivateBus& bus, const LongLog& log, std::uint32_t starts);

/// The row of it, a run each. `settings` say what the topic was. Less than 10 GiB is not judged.
BenchResult recovery_row(const std::vector<Recovery>& runs, std::uint32_t starts, Json settings);

}  // namespace ringway::cli
