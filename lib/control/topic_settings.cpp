#include "control/topic_settings.hpp"

#include <fmt/format.h>

#include <bit>
#include <chrono>
#include <nlohmann/json.hpp>

#include "control/fields.hpp"
#include "control/quantity.hpp"
#include "control/utf8.hpp"
#include "layout/board.hpp"
#include "ringway/error.hpp"

namespace ringway::control {
namespace {

constexpr std::uint64_t kSegmentBytesMin = 256 * 1024;
constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kSyncIntervalMsMax = 60'000;
constexpr std::uint64_t kStoppedAfterMsMin = 10;
constexpr std::uint64_t kHourMs = 3'600'000;
// So that settings always fit a message, beside a cursor's offsets in 10,000 partitions.
constexpr std::size_t kAccountsMax = 64;
constexpr std::size_t kAccountBytesMax = 128;

[[noreturn]] void refuse(const char* setting, std::string rule, std::string fix) {
  throw Error(ErrorCode::usage, fmt::format("topic setting {}", setting), std::move(rule),
              std::move(fix));
}

std::string as_count(std::uint64_t count) {
  return fmt::to_string(count);
}

std::string as_duration(std::uint64_t ms) {
  return format_duration(std::chrono::milliseconds(ms));
}

/// Both ends as `shown`; the value to the last digit, with its unit.
void check_range(const char* setting, std::uint64_t value, std::string_view unit, std::uint64_t low,
                 std::uint64_t high, std::string (*shown)(std::uint64_t)) {
  if (value >= low && value <= high) return;
  const std::string range = fmt::format("{} to {}", shown(low), shown(high));
  refuse(setting, fmt::format("{}{} is outside {}", value, unit, range),
         "choose a value from " + range);
}

/// What is wrong with a name's characters; empty if nothing.
std::string_view character_fault(std::string_view text) {
  while (!text.empty()) {
    const std::int32_t point = next_code_point(text);
    if (point < 0) return "is not valid UTF-8";
    if (is_control(point)) return "holds a control character";
  }
  return {};
}

/// Names come from strangers: what cannot be shown is not.
Error bad_name(const char* what, std::string_view name, std::string_view rule) {
  const bool printable = name.size() <= 300 && character_fault(name).empty();
  return Error(ErrorCode::usage,
               printable ? fmt::format("{} name '{}'", what, name) : fmt::format("{} name", what),
               std::string(rule), "choose another name");
}

template <class Enum>
Enum choice(const Fields& fields, const char* name, std::initializer_list<Enum> choices) {
  const std::string text = fields.text(name, 64);
  std::string known;
  for (const Enum value : choices) {
    if (text == to_string(value)) return value;
    known += (known.empty() ? "" : ", ") + std::string(to_string(value));
  }
  throw fields.wrong(name, "must be one of " + known);
}

}  // namespace

std::string_view to_string(Sync sync) noexcept {
  switch (sync) {
    case Sync::every_batch:
      return "every_batch";
    case Sync::interval:
      return "interval";
    case Sync::never:
      return "never";
  }
  return "unknown";
}

std::string_view to_string(WhenFull when_full) noexcept {
  switch (when_full) {
    case WhenFull::block:
      return "block";
    case WhenFull::overwrite:
      return "overwrite";
  }
  return "unknown";
}

std::string_view to_string(WhenStopped when_stopped) noexcept {
  switch (when_stopped) {
    case WhenStopped::wait:
      return "wait";
    case WhenStopped::fence:
      return "fence";
    case WhenStopped::kill:
      return "kill";
  }
  return "unknown";
}

std::string_view to_string(WhenPinned when_pinned) noexcept {
  switch (when_pinned) {
    case WhenPinned::wait:
      return "wait";
    case WhenPinned::copy:
      return "copy";
    case WhenPinned::kill:
      return "kill";
  }
  return "unknown";
}

std::string_view to_string(WhenDiskFails when_disk_fails) noexcept {
  switch (when_disk_fails) {
    case WhenDiskFails::wait:
      return "wait";
    case WhenDiskFails::memory:
      return "memory";
  }
  return "unknown";
}

void validate(const TopicSettings& settings) {
  check_range("partitions", settings.partitions, "", 1, layout::kPartitionsMax, as_count);
  if (!std::has_single_bit(settings.ring_bytes) || settings.ring_bytes < layout::kRingBytesMin ||
      settings.ring_bytes > layout::kRingBytesMax) {
    refuse("ring_bytes",
           fmt::format("{} B is no power of two from 64 KiB to 4 GiB", settings.ring_bytes),
           "choose 64 KiB, 128 KiB, ... 4 GiB");
  }
  check_range("segment_bytes", settings.segment_bytes, " B", kSegmentBytesMin, kSegmentBytesMax,
              format_size);
  check_range("sync_interval_ms", settings.sync_interval_ms, " ms", 1, kSyncIntervalMsMax,
              as_duration);
  check_range("sync_bytes", settings.sync_bytes, " B", layout::kPageBytes, kSegmentBytesMax,
              format_size);
  check_range("stopped_after_ms", settings.stopped_after_ms, " ms", kStoppedAfterMsMin, kHourMs,
              as_duration);
  check_range("pin_budget_ms", settings.pin_budget_ms, " ms", 0, kHourMs, as_duration);
  if (settings.persist && settings.when_full == WhenFull::overwrite) {
    refuse("when_full", "a persisted topic never overwrites what is not yet on disk",
           "leave it at block, or do without persistence (--no-persist)");
  }
  if (!settings.persist && (settings.retention_bytes != 0 || settings.retention_age_ms != 0)) {
    refuse(settings.retention_bytes != 0 ? "retention_bytes" : "retention_age_ms",
           "a topic without persistence keeps nothing beyond its ring",
           "leave it out, or persist the topic");
  }
  if (!settings.persist &&
      (settings.retired_bytes_max != 0 || settings.when_pinned != WhenPinned::wait)) {
    refuse(settings.retired_bytes_max != 0 ? "retired_bytes_max" : "when_pinned",
           "without persistence a consumer's place in the ring is what producers wait for, or "
           "nothing is held",
           "leave it out, or persist the topic");
  }
  if (!settings.persist && settings.when_disk_fails == WhenDiskFails::memory) {
    refuse("when_disk_fails", "a topic without persistence is in memory anyway",
           "leave it out, or persist the topic");
  }
  const auto check_accounts = [](const char* setting, const std::vector<std::string>& names) {
    if (names.size() > kAccountsMax) {
      refuse(setting, fmt::format("{} entries; {} are allowed", names.size(), kAccountsMax),
             "use a @group");
    }
    for (const std::string& name : names) {
      if (name.empty() || name == "@" || name.size() > kAccountBytesMax ||
          !character_fault(name).empty()) {
        refuse(setting, "has an empty, too long or unreadable entry", "name users and @groups");
      }
    }
  };
  check_accounts("readers", settings.readers);
  check_accounts("writers", settings.writers);
  check_accounts("admins", settings.admins);
}

void validate_topic_name(std::string_view name) {
  if (name.empty() || name.size() > layout::kTopicNameBytesMax) {
    throw bad_name(
        "topic", name,
        fmt::format("has {} bytes; 1 to {} are allowed", name.size(), layout::kTopicNameBytesMax));
  }
  if (const auto fault = character_fault(name); !fault.empty()) {
    throw bad_name("topic", name, fault);
  }
  if (name.find_first_of("+#") != name.npos) {
    throw bad_name("topic", name, "holds '+' or '#', which are kept for patterns");
  }
  if (name.front() == '_' || name.front() == '$') {
    throw bad_name("topic", name, "starts with '_' or '$', which are kept for the bus itself");
  }
  if (name.front() == '/' || name.back() == '/' || name.find("//") != name.npos) {
    throw bad_name("topic", name, "has an empty level between '/'");
  }
}

void validate_cursor_name(std::string_view name) {
  if (name.empty() || name.size() > layout::kCursorNameBytesMax) {
    throw bad_name(
        "cursor", name,
        fmt::format("has {} bytes; 1 to {} are allowed", name.size(), layout::kCursorNameBytesMax));
  }
  if (const auto fault = character_fault(name); !fault.empty()) {
    throw bad_name("cursor", name, fault);
  }
}

nlohmann::json to_json(const TopicSettings& settings) {
  return {{"partitions", settings.partitions},
          {"ring_bytes", settings.ring_bytes},
          {"segment_bytes", settings.segment_bytes},
          {"sync", to_string(settings.sync)},
          {"sync_interval_ms", settings.sync_interval_ms},
          {"sync_bytes", settings.sync_bytes},
          {"persist", settings.persist},
          {"when_full", to_string(settings.when_full)},
          {"retention_bytes", settings.retention_bytes},
          {"retention_age_ms", settings.retention_age_ms},
          {"when_stopped", to_string(settings.when_stopped)},
          {"stopped_after_ms", settings.stopped_after_ms},
          {"pin_budget_ms", settings.pin_budget_ms},
          {"retired_bytes_max", settings.retired_bytes_max},
          {"when_pinned", to_string(settings.when_pinned)},
          {"when_disk_fails", to_string(settings.when_disk_fails)},
          {"readers", settings.readers},
          {"writers", settings.writers},
          {"admins", settings.admins}};
}

TopicSettings topic_settings_from_json(const nlohmann::json& json) {
  return settle(topic_choices_from_json(json));
}

nlohmann::json to_json(const TopicChoices& choices) {
  auto json = nlohmann::json::object();
  const auto add = [&](const char* name, const auto& chosen) {
    if (chosen) json[name] = *chosen;
  };
  add("partitions", choices.partitions);
  add("ring_bytes", choices.ring_bytes);
  add("segment_bytes", choices.segment_bytes);
  if (choices.sync) json["sync"] = to_string(*choices.sync);
  add("sync_interval_ms", choices.sync_interval_ms);
  add("sync_bytes", choices.sync_bytes);
  add("persist", choices.persist);
  if (choices.when_full) json["when_full"] = to_string(*choices.when_full);
  add("retention_bytes", choices.retention_bytes);
  add("retention_age_ms", choices.retention_age_ms);
  if (choices.when_stopped) json["when_stopped"] = to_string(*choices.when_stopped);
  add("stopped_after_ms", choices.stopped_after_ms);
  add("pin_budget_ms", choices.pin_budget_ms);
  add("retired_bytes_max", choices.retired_bytes_max);
  if (choices.when_pinned) json["when_pinned"] = to_string(*choices.when_pinned);
  if (choices.when_disk_fails) json["when_disk_fails"] = to_string(*choices.when_disk_fails);
  const auto add_accounts = [&](const char* name, const std::vector<std::string>& accounts) {
    if (!accounts.empty()) json[name] = accounts;
  };
  add_accounts("readers", choices.readers);
  add_accounts("writers", choices.writers);
  add_accounts("admins", choices.admins);
  return json;
}

TopicChoices topic_choices_from_json(const nlohmann::json& json) {
  const Fields fields(json, "settings");
  TopicChoices choices;
  const auto number = [&]<class T>(const char* name, std::optional<T>& into) {
    if (fields.has(name)) into = fields.number<T>(name);
  };
  number("partitions", choices.partitions);
  number("ring_bytes", choices.ring_bytes);
  number("segment_bytes", choices.segment_bytes);
  number("sync_interval_ms", choices.sync_interval_ms);
  number("sync_bytes", choices.sync_bytes);
  number("retention_bytes", choices.retention_bytes);
  number("retention_age_ms", choices.retention_age_ms);
  number("stopped_after_ms", choices.stopped_after_ms);
  number("pin_budget_ms", choices.pin_budget_ms);
  number("retired_bytes_max", choices.retired_bytes_max);
  if (fields.has("sync")) {
    choices.sync = choice(fields, "sync", {Sync::every_batch, Sync::interval, Sync::never});
  }
  if (fields.has("when_full")) {
    choices.when_full = choice(fields, "when_full", {WhenFull::block, WhenFull::overwrite});
  }
  if (fields.has("when_stopped")) {
    choices.when_stopped =
        choice(fields, "when_stopped", {WhenStopped::wait, WhenStopped::fence, WhenStopped::kill});
  }
  if (fields.has("when_pinned")) {
    choices.when_pinned =
        choice(fields, "when_pinned", {WhenPinned::wait, WhenPinned::copy, WhenPinned::kill});
  }
  if (fields.has("when_disk_fails")) {
    choices.when_disk_fails =
        choice(fields, "when_disk_fails", {WhenDiskFails::wait, WhenDiskFails::memory});
  }
  if (fields.has("persist")) choices.persist = fields.flag("persist");
  if (fields.has("readers")) choices.readers = fields.texts("readers");
  if (fields.has("writers")) choices.writers = fields.texts("writers");
  if (fields.has("admins")) choices.admins = fields.texts("admins");
  return choices;
}

TopicSettings settle(const TopicChoices& choices, TopicSettings defaults) {
  TopicSettings settings = std::move(defaults);
  settings.persist = choices.persist.value_or(settings.persist);
  if (settings.persist) {
    settings.when_full = WhenFull::block;
  } else {
    settings.retention_bytes = 0;
    settings.retention_age_ms = 0;
    settings.retired_bytes_max = 0;
    settings.when_pinned = WhenPinned::wait;
    settings.when_disk_fails = WhenDiskFails::wait;
  }
  const auto take = [](auto& setting, const auto& chosen) {
    if (chosen) setting = *chosen;
  };
  take(settings.partitions, choices.partitions);
  take(settings.ring_bytes, choices.ring_bytes);
  take(settings.segment_bytes, choices.segment_bytes);
  take(settings.sync, choices.sync);
  take(settings.sync_interval_ms, choices.sync_interval_ms);
  take(settings.sync_bytes, choices.sync_bytes);
  take(settings.when_full, choices.when_full);
  take(settings.retention_bytes, choices.retention_bytes);
  take(settings.retention_age_ms, choices.retention_age_ms);
  take(settings.when_stopped, choices.when_stopped);
  take(settings.stopped_after_ms, choices.stopped_after_ms);
  take(settings.pin_budget_ms, choices.pin_budget_ms);
  take(settings.retired_bytes_max, choices.retired_bytes_max);
  take(settings.when_pinned, choices.when_pinned);
  take(settings.when_disk_fails, choices.when_disk_fails);
  // Accounts have no defaults: rights of the configuration are added to those of the topic.
  settings.readers = choices.readers;
  settings.writers = choices.writers;
  settings.admins = choices.admins;
  return settings;
}

TopicSettings alter(const TopicSettings& settings, const TopicChoices& choices) {
  const auto fixed = [](const char* setting, bool chosen) {
    if (chosen) {
      refuse(setting, "is settled when a topic is created",
             "create another topic with it, and let its consumers go over");
    }
  };
  fixed("partitions", choices.partitions.has_value());
  fixed("persist", choices.persist.has_value());
  fixed("when_full", choices.when_full.has_value());
  fixed("readers", !choices.readers.empty());
  fixed("writers", !choices.writers.empty());
  fixed("admins", !choices.admins.empty());
  TopicSettings altered = settle(choices, settings);
  altered.when_full = settings.when_full;
  altered.readers = settings.readers;
  altered.writers = settings.writers;
  altered.admins = settings.admins;
  return altered;
}

bool is_retention_only(const TopicChoices& choices) {
  TopicChoices others = choices;
  others.retention_bytes.reset();
  others.retention_age_ms.reset();
  return others == TopicChoices{} && choices != others;
}

}  // namespace ringway::control
