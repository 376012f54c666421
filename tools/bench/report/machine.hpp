#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace ringway::cli {

/// What a machine is called by, as far as it can be told: names and their values.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Its processor, memory, kernel, and the disk that `place` is on.
Facts machine_facts(const std::filesystem::path& place);

}  // namespace ringway::cli
