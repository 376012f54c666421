#include "daemon/access_change.hpp"

#include <fmt/format.h>
#include <pwd.h>

#include <algorithm>

#include "control/shell_word.hpp"
#include "control/topic_settings.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

using Names = std::vector<std::string>;

void grant(Names& names, const Names& more) {
  for (const std::string& name : more) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
}

void revoke(const std::string& topic, Names& names, const Names& less, std::string_view right) {
  for (const std::string& name : less) {
    if (std::erase(names, name) != 0) continue;
    throw Error(ErrorCode::not_found, fmt::format("right to {} of '{}'", right, name),
                fmt::format("topic '{}' was not given it by name", topic),
                "see who has it, and where that stands: " +
                    control::typed("ringway acl list", {topic}));
  }
}

/// As people know it.
std::string user_name(std::uint32_t uid) {
  const passwd* const user = ::getpwuid(uid);
  return user != nullptr ? user->pw_name : std::to_string(uid);
}

}  // namespace

TopicSettings changed(const std::string& topic, const TopicSettings& settings,
                      const control::ChangeAccess& change, const control::Accounts& accounts) {
  if (change.readers.empty() && change.writers.empty() && change.admins.empty()) {
    throw Error(ErrorCode::usage, fmt::format("topic '{}'", topic), "no right is named",
                "say --read, --write or --admin, and whom");
  }
  TopicSettings altered = settings;
  if (change.grant) {
    for (const Names* names : {&change.readers, &change.writers, &change.admins}) {
      control::resolve(*names, accounts);
    }
    grant(altered.readers, change.readers);
    grant(altered.writers, change.writers);
    grant(altered.admins, change.admins);
  } else {
    revoke(topic, altered.readers, change.readers, "read");
    revoke(topic, altered.writers, change.writers, "write");
    revoke(topic, altered.admins, change.admins, "administer");
  }
  control::validate(altered);
  return altered;
}

control::AccessReport access_report(const Topic& topic, const Config& config,
                                    std::uint32_t self) {
  control::AccessReport report;
  const auto add = [&](const Names& names, control::Right right, const char* source) {
    for (const std::string& name : names) {
      report.entries.push_back({name, std::string(control::to_string(right)), source});
    }
  };
  const auto add_lists = [&](const auto& lists, const char* source) {
    add(lists.readers, control::Right::read, source);
    add(lists.writers, control::Right::write, source);
    add(lists.admins, control::Right::administer, source);
  };
  add_lists(topic.settings, "topic");
  if (const auto found = config.topics.find(topic.row.name); found != config.topics.end()) {
    add_lists(found->second, "configuration");
  }
  add({user_name(topic.access.owner)}, control::Right::administer, "owner");
  add({user_name(self)}, control::Right::administer, "supervisor");
  if (self != 0) add({user_name(0)}, control::Right::administer, "supervisor");
  return report;
}

}  // namespace ringway::daemon
