#pragma once

#include <string>

#include "ringway/consumer.hpp"

namespace ringway::cli {

/// One line about records that will never be seen: which, and why.
std::string gap_note(const std::string& topic, const Gap& gap);

}  // namespace ringway::cli
