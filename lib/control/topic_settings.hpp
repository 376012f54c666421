#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::control {

enum class Sync : std::uint8_t {
  every_batch,  ///< every batch that is written is synced
  interval,     ///< after sync_interval_ms or sync_bytes, whichever comes first
  never,        ///< the kernel syncs when it likes; `durable` is never claimed
};

enum class WhenFull : std::uint8_t {
  block,      ///< producers wait for the slowest consumer
  overwrite,  ///< the oldest records go; consumers learn how many
};

/// Everything that is set when a topic is created. The same in control messages, in the catalog and
/// in what the command line shows.
struct TopicSettings {
  std::uint32_t partitions = 1;
  std::uint64_t ring_bytes = std::uint64_t{16} << 20;  ///< per partition
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;
  Sync sync = Sync::interval;
  std::uint64_t sync_interval_ms = 5;
  std::uint64_t sync_bytes = std::uint64_t{4} << 20;
  bool persist = true;
  WhenFull when_full = WhenFull::block;  ///< of topics that are not persisted
  std::uint64_t retention_bytes = 0;     ///< per partition; 0: no limit
  std::uint64_t retention_age_ms = 0;    ///< 0: no limit
  std::vector<std::string> readers{};    ///< users and @groups
  std::vector<std::string> writers{};
  std::vector<std::string> admins{};

  bool operator==(const TopicSettings&) const = default;
};

/// @throws Error usage naming the setting, the rule it breaks and the fix.
void validate(const TopicSettings& settings);

/// 1 to 249 bytes of UTF-8 in levels separated by '/'; no empty level, no '+', '#' or control
/// character; not starting with '_' or '$'.
/// @throws Error usage.
void validate_topic_name(std::string_view name);

/// 1 to 127 bytes of UTF-8 without control characters.
/// @throws Error usage.
void validate_cursor_name(std::string_view name);

std::string_view to_string(Sync sync) noexcept;
std::string_view to_string(WhenFull when_full) noexcept;

nlohmann::json to_json(const TopicSettings& settings);
/// Missing fields take their defaults. Not validated beyond types.
/// @throws Error naming the field.
TopicSettings topic_settings_from_json(const nlohmann::json& json);

}  // namespace ringway::control
