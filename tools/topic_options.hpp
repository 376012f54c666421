#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ringway/error.hpp"
#include "ringway/topic.hpp"

namespace ringway::cli {

/// What `topic create` and `topic alter` are told of a topic, as written.
struct TopicOptions {
  std::string topic;
  std::optional<std::uint32_t> partitions;
  std::string ring, segment, sync, sync_interval, sync_bytes;
  std::string when_full, retention_bytes, retention_age;
  std::string when_stopped, stopped_after, pin_budget, retired_max, when_pinned, when_disk_fails;
  bool no_persist = false;
  std::vector<std::string> readers, writers, admins;
};

/// What becomes of a setting that is not named.
enum class LeftOut { has_default, stays };

/// Adds the flags for what can be altered later, too.
void add_alterable(CLI::App& verb, TopicOptions& options, LeftOut left_out);

/// A list of users and @groups, repeated or with commas.
void add_accounts(CLI::App& verb, const char* flag, std::vector<std::string>& into,
                  const std::string& about);

/// @throws Error usage, naming the flag.
TopicChoices choices_of(const TopicOptions& options);

/// What to throw where the supervisor refuses a setting: the error names the flag it was given by.
Error named_by_flag(const Error& error);

}  // namespace ringway::cli
