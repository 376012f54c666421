#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <ringway/error.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/bench/benchmark.hpp"

// Benchmarks one after the other, each as the command would run it alone.

namespace ringway::cli {

/// What is written to the disk by all of them, and what is held on it and in memory at once.
inline constexpr std::uint64_t kSuiteWrittenMax = std::uint64_t{40} << 30;
inline constexpr std::uint64_t kSuiteHeldMax = std::uint64_t{16} << 30;
/// The most of it that one of them has beyond its demand.
inline constexpr std::uint64_t kSuiteSpareMax = std::uint64_t{3} << 30;

/// A flag with the value that it is to have, in each command of a plan that has the flag.
using Override = std::pair<std::string, std::string>;

/// What a suite gave.
struct SuiteRows {
  Json rows = Json::array();
  std::optional<Error> failure;  ///< the first one; its benchmark's row reads "not measured"
};

class Suite {
 public:
  /// `plan`: what is typed behind `ringway bench`, a command each. Throws Error(usage), which names
  /// the command, where one is refused; and where all of them would write or hold too much.
  Suite(const std::vector<Benchmark>& benchmarks, const std::vector<std::string>& plan,
        const std::vector<Override>& overrides);

  /// What all of them write, kSuiteWrittenMax at most where something is done again; the most that
  /// one of them holds.
  Demand demand() const noexcept;
  std::size_t size() const noexcept { return pieces_.size(); }

  /// The JSON of all rows in the order of the plan, each with its "command" and what that has
  /// "written", and might have at most: its demand, and what it took to spare. What has not begun
  /// when `within` has passed, what was at it, and what would write more than it may, reads "not
  /// measured". So does what fails, and the others go on. What is left of kSuiteWrittenMax when
  /// everybody to come has its demand is there to spare. `about_to` is told each command before it
  /// runs. Throws Interrupted.
  SuiteRows measure(std::chrono::nanoseconds within,
               const std::function<void(std::size_t, const std::string&)>& about_to);

 private:
  struct Piece {
    std::string command;
    Configured configured;
  };

  /// Of the pieces from `at` on.
  std::uint64_t still_to_write(std::size_t at) const noexcept;

  std::vector<Piece> pieces_;
};

/// Bytes that this process, and those of its children that it has waited for, have written to disks
/// so far. Nothing where the kernel does not count them.
std::optional<std::uint64_t> bytes_written();

}  // namespace ringway::cli
