#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/bench/durations.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// One thing that a run timed, many times over.
struct Series {
  std::string name;   ///< in JSON
  std::string about;  ///< in the table
  Durations durations;
};

/// What a benchmark of durations measured. Every run has the same series in the same order; the
/// first one is what the benchmark is about, the others stand beside it.
struct BenchResult {
  struct Target {
    double share;  ///< of the durations, 0.99 for p99
    std::chrono::nanoseconds below;
  };

  std::string name;
  std::string about;
  Json settings;
  std::vector<std::vector<Series>> runs;
  std::optional<Target> target;

  /// The target's figure: the median of what the runs had.
  std::chrono::nanoseconds judged() const;
  /// Nothing where there is no target.
  std::optional<bool> passed() const;

  /// What a comparison's has, null where there is nothing to say, and "samples","max_ns","judged",
  /// and the other series by name. "target" is the time that "target_of" has to stay below.
  Json json() const;
  std::string table(Style style) const;
};

/// What every benchmark says of the machine, to go on with.
Json bench_settings();

}  // namespace ringway::cli
