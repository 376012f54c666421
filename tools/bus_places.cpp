#include "tools/bus_places.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "client/administration.hpp"
#include "control/keeper_connection.hpp"
#include "ringway/error.hpp"
#include "tools/bus_access.hpp"

namespace ringway::cli {

BusPlaces bus_places(const Common& common) {
  const Common hasty = hastened(common);
  BusPlaces places{runtime_directory(common), {}};
  try {
    const nlohmann::json said = Administration(connect(hasty)).status();
    // In a container the directory has another name, which its socket has told.
    const std::string runtime_dir = said.value("runtime_dir", places.runtime_dir);
    std::error_code unseen;
    if (std::filesystem::exists(runtime_dir, unseen)) places.runtime_dir = runtime_dir;
    places.state_dir = said.value("state_dir", "");
  } catch (const Error&) {
    // Dead or stopped: the keeper knows.
  }
  if (!places.state_dir.empty()) return places;
  try {
    const auto patience = std::chrono::ceil<std::chrono::milliseconds>(hasty.timeout);
    places.state_dir = control::KeeperConnection(places.runtime_dir, patience).state_dir();
  } catch (const Error&) {
    // Neither is there, then.
  }
  return places;
}

}  // namespace ringway::cli
