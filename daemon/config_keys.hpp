#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/config_value.hpp"

namespace ringway::daemon {

/// One key of the configuration.
struct Key {
  std::string_view name;    ///< dotted
  std::string_view sample;  ///< its default, as TOML; behind '#' where that depends on who asks
  std::string_view text;    ///< for people; "\n" separates lines
  void (*read)(Config& config, const Value& value);
  bool at_start = false;  ///< counts from a start on, not from SIGHUP on

  bool depends() const noexcept { return sample.starts_with('#'); }
  /// "" of a key without one.
  std::string_view section() const noexcept;
  /// Without its section.
  std::string_view short_name() const noexcept;
  /// The environment variable that sets it: RINGWAYD_, then its name in capitals, '_' for '.'.
  std::string variable() const;
};

/// All of them: the one place where a key is named, explained and read, but for the rights to each
/// topic ([topics.NAME], configuration.hpp). Keys without a section come first, those of a section
/// stand together.
std::span<const Key> config_keys() noexcept;

/// nullptr: there is no such key.
const Key* find_key(std::string_view name) noexcept;

/// A commented file in which every key has its default value.
std::string sample_config();

}  // namespace ringway::daemon
