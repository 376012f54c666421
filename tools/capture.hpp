#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ringway::cli {

/// What a command printed.
struct Captured {
  std::string out{};
  std::string err{};
  std::optional<int> status{};  ///< none: it could not be started, or was ended by a signal
  bool late = false;            ///< it was ended because it took too long, or cannot be ended
  bool cut = false;             ///< it printed more than is kept
};

/// Runs `words` with nothing to read, looking its name up in PATH, and ends it when it takes longer
/// than `patience`. At most `bytes_max` of each stream are kept, the first ones.
Captured capture(const std::vector<std::string>& words, std::chrono::milliseconds patience,
                 std::size_t bytes_max);

/// What `work` returns, computed by a child of this process, and what it throws as `err` with
/// status 1: for what a disk or a process that hangs may keep for ever, and nothing can end then.
/// Not while other threads run.
Captured capture(const std::function<std::string()>& work, std::chrono::milliseconds patience,
                 std::size_t bytes_max);

}  // namespace ringway::cli
