#pragma once

#include <string>
#include <vector>

#include "daemon/configuration.hpp"

namespace ringway::daemon {

/// A key whose value is another one than before, as TOML.
struct ConfigChange {
  std::string key;
  std::string from, to;   ///< "": there was none, there is none
  bool at_start = false;  ///< counts from the next start on
};

std::vector<ConfigChange> changes(const Configuration& before, const Configuration& now);

/// What counts at once when `wanted` is read while `before` is in force: what only a start reads
/// stays as it was.
Config reloaded(const Config& before, const Config& wanted);

}  // namespace ringway::daemon
