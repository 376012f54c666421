#pragma once

#include <cstdint>
#include <string>

#include "tools/output.hpp"

namespace ringway::cli {

enum class Verdict : std::uint8_t { pass, miss, not_judged, not_measured, no_target };
std::string name_of(Verdict verdict);

/// What a benchmark's row says in one line, out of the JSON that programs read: "" where it has
/// nothing to say.
struct Summary {
  std::string name;
  std::string figure;  ///< "41.20 M/s", "p99 142 ms"
  std::string limit;
  std::string ratio;  ///< in the median
  std::string range;  ///< of the repeats' ratios
  std::string target;
  Verdict verdict = Verdict::no_target;
  std::string why;  ///< it was not measured, or is not judged
};
Summary summary_of(const Json& row);

/// How often each verdict was given: "20 pass, 2 miss, 3 have no target".
std::string tally_of(const Json& rows);

}  // namespace ringway::cli
