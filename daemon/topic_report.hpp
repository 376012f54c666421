#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "daemon/topic.hpp"

namespace ringway::daemon {

/// The process that has the topic for itself, if one has.
std::optional<std::uint32_t> exclusive_pid(const Topic& topic);

/// The processes whose consumers are given copies because they held records for too long.
std::set<std::uint32_t> copying_pids(const Topic& topic);

/// A topic for people and tools: settings, and what the board says of each partition.
nlohmann::json describe(const Topic& topic);

/// A partition's `state`: "serving", or why it does not move.
std::string partition_state(const Topic& topic, std::uint32_t partition);

}  // namespace ringway::daemon
