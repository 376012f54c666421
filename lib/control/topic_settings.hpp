#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "ringway/topic.hpp"

namespace ringway::control {

using ringway::TopicChoices;
using ringway::TopicSettings;
using ringway::WhenDiskFails;
using ringway::WhenFull;
using ringway::WhenPinned;
using ringway::WhenStopped;
using Sync = ringway::SyncPolicy;

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
std::string_view to_string(WhenStopped when_stopped) noexcept;
std::string_view to_string(WhenPinned when_pinned) noexcept;
std::string_view to_string(WhenDiskFails when_disk_fails) noexcept;

/// What was chosen, over `defaults` where nothing was. A default that has no meaning beside what
/// was chosen (what a log does without one, overwriting with one) is dropped. Not validated.
TopicSettings settle(const TopicChoices& choices, TopicSettings defaults = {});

/// The settings of a topic after it is altered. Not validated.
/// @throws Error usage when a choice is one that only a new topic has.
TopicSettings alter(const TopicSettings& settings, const TopicChoices& choices);
/// Whether that is about nothing but how long the log is kept.
bool is_retention_only(const TopicChoices& choices);

nlohmann::json to_json(const TopicSettings& settings);
/// Missing fields have their built-in defaults. Not validated beyond types.
/// @throws Error naming the field.
TopicSettings topic_settings_from_json(const nlohmann::json& json);

/// Only what was chosen.
nlohmann::json to_json(const TopicChoices& choices);
/// Not validated beyond types.
/// @throws Error naming the field.
TopicChoices topic_choices_from_json(const nlohmann::json& json);

}  // namespace ringway::control
