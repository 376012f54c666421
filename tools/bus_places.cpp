#include "tools/bus_places.hpp"

#include <chrono>
#include <filesystem>

#include "client/administration.hpp"
#include "control/keeper_connection.hpp"
#include "ringway/error.hpp"
#include "tools/bus_access.hpp"
#include "tools/service_state.hpp"
#include "tools/state_directory.hpp"

namespace ringway::cli {

BusPlaces bus_places(const Common& common) {
  nlohmann::json said = nlohmann::json::object();
  try {
    said = Administration(connect(hastened(common))).status();
  } catch (const Error&) {
    // Dead or stopped: the keeper knows.
  }
  return bus_places(common, said);
}

BusPlaces bus_places(const Common& common, const nlohmann::json& said) {
  BusPlaces places{runtime_directory(common), {}};
  // In a container the directory has another name, which its socket has told.
  const std::string runtime_dir = said.value("runtime_dir", places.runtime_dir);
  std::error_code unseen;
  if (runtime_dir.starts_with('/') && std::filesystem::exists(runtime_dir, unseen)) {
    places.runtime_dir = runtime_dir;
  }
  places.state_dir = said.value("state_dir", "");
  if (!places.state_dir.starts_with('/')) places.state_dir = "";  // an option to who is given it
  if (!places.state_dir.empty()) return places;
  try {
    const auto patience = std::chrono::ceil<std::chrono::milliseconds>(hastened(common).timeout);
    places.state_dir = control::KeeperConnection(places.runtime_dir, patience).whose().state_dir;
  } catch (const Error&) {
    // Neither is there, then.
  }
  return places;
}

std::string usual_state_dir(const std::string& runtime_dir) {
  const Unit unit = unit_at(runtime_dir);
  if (!unit.name.empty() && !unit.of_user) {
    const auto own = "/var/lib" / std::filesystem::path(runtime_dir).filename();
    std::error_code unseen;
    if (std::filesystem::exists(own, unseen)) return own.string();
  }
  try {
    return StateDirectory("").path().string();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace ringway::cli
