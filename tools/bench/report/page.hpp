#pragma once

#include <string>

#include "tools/bench/report/machine.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// Rows of benchmarks as one HTML page that stands for itself: charts to look at, then every row
/// with its limit, its target and the command that measures it. `facts`: of the machine and the
/// run.
std::string report_page(const Json& rows, const Facts& facts);

}  // namespace ringway::cli
