#pragma once

#include <nlohmann/json.hpp>

#include "daemon/topic_registry.hpp"

namespace ringway::daemon {

/// A topic for people and tools: settings, and what the board says of each partition.
nlohmann::json describe(const Topic& topic);

/// A partition's `state`: "serving", or why it does not move.
std::string partition_state(const Topic& topic, std::uint32_t partition);

}  // namespace ringway::daemon
