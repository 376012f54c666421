#pragma once

#include <string>

#include "ringway/consumer.hpp"

namespace ringway::cli {

/// One line about records that will never be seen: which, and why. `first_offset` is the oldest
/// that the partition keeps by now.
std::string gap_note(const std::string& topic, const Gap& gap, std::uint64_t first_offset);

}  // namespace ringway::cli
