#include "daemon/reload.hpp"

#include <set>

#include "daemon/config_keys.hpp"

namespace ringway::daemon {

std::vector<ConfigChange> changes(const Configuration& before, const Configuration& now) {
  std::set<std::string> keys;
  for (const auto& [key, origin] : before.origins()) keys.insert(key);
  for (const auto& [key, origin] : now.origins()) keys.insert(key);
  std::vector<ConfigChange> all;
  for (const std::string& key : keys) {
    const auto value_in = [&](const Configuration& configuration) {
      const auto found = configuration.origins().find(key);
      return found == configuration.origins().end() ? std::string() : found->second.value;
    };
    ConfigChange change{key, value_in(before), value_in(now)};
    if (change.from == change.to) continue;
    const Key* const known = find_key(key);
    change.at_start = known != nullptr && known->at_start;
    all.push_back(std::move(change));
  }
  return all;
}

Config reloaded(const Config& before, const Config& wanted) {
  Config config = wanted;
  config.socket = before.socket;
  config.runtime_dir = before.runtime_dir;
  config.state_dir = before.state_dir;
  config.descriptor_store = before.descriptor_store;
  config.metrics_socket = before.metrics_socket;
  config.metrics_at_socket = before.metrics_at_socket;
  config.metrics_listen = before.metrics_listen;
  return config;
}

}  // namespace ringway::daemon
