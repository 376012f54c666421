#pragma once

#include <string>

#include "tools/quickstart_run/demonstration.hpp"

namespace ringway::quickstart {

/// The table that a run ends with. Ends with a newline.
std::string table(const Corpus& corpus, const Outcome& outcome);

}  // namespace ringway::quickstart
