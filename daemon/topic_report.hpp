#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "control/status_trouble.hpp"
#include "daemon/topic.hpp"

namespace ringway::daemon {

/// The process that has the topic for itself, if one has.
std::optional<std::uint32_t> exclusive_pid(const Topic& topic);

/// The processes whose consumers are given copies because they held records for too long.
std::set<std::uint32_t> copying_pids(const Topic& topic);

/// What is known of a topic beyond its settings and its board.
nlohmann::json describe(const Topic& topic);

/// What keeps partitions of a served topic from moving, one for each reason. However many they are,
/// its text stays short.
std::vector<control::StatusTrouble> held_partitions(const Topic& topic);

}  // namespace ringway::daemon
