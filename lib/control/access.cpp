#include "control/access.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>

#include "control/fields.hpp"
#include "ringway/error.hpp"
#include "shm/user_namespace.hpp"

namespace ringway::control {
namespace {

/// Calls one of the getXXnam_r family with as much memory as it wants.
template <class Entry, class Lookup>
std::optional<Entry> look_up(Lookup lookup, const std::string& name, std::vector<char>& buffer) {
  buffer.resize(1024);
  Entry entry{};
  Entry* found = nullptr;
  while (lookup(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  return found != nullptr ? std::optional(entry) : std::nullopt;
}

std::optional<std::uint32_t> as_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

nlohmann::json list_to_json(const AccessList& list) {
  return {{"users", list.users}, {"groups", list.groups}};
}

AccessList list_from_json(const Fields& fields) {
  return {fields.numbers<uid_t>("users"), fields.numbers<gid_t>("groups")};
}

}  // namespace

Accounts Accounts::system() {
  return {[](const std::string& name) -> std::optional<uid_t> {
            std::vector<char> buffer;
            const auto entry = look_up<::passwd>(::getpwnam_r, name, buffer);
            return entry ? std::optional(entry->pw_uid) : std::nullopt;
          },
          [](const std::string& name) -> std::optional<gid_t> {
            std::vector<char> buffer;
            const auto entry = look_up<::group>(::getgrnam_r, name, buffer);
            return entry ? std::optional(entry->gr_gid) : std::nullopt;
          }};
}

bool AccessList::contains(const Credentials& peer) const noexcept {
  const auto listed = [&](gid_t group) { return std::ranges::find(groups, group) != groups.end(); };
  return std::ranges::find(users, peer.uid) != users.end() || listed(peer.gid) ||
         std::ranges::any_of(peer.groups, listed);
}

AccessList resolve(const std::vector<std::string>& names, const Accounts& accounts) {
  AccessList list;
  for (const std::string& name : names) {
    const bool is_group = name.starts_with('@');
    const std::string bare = name.substr(is_group ? 1 : 0);
    auto id = is_group ? accounts.group(bare) : accounts.user(bare);
    if (!id) id = as_number(bare);
    if (!id) {
      throw Error(ErrorCode::not_found, (is_group ? "group '" : "user '") + bare + "'",
                  "does not exist on this host", "name existing users and @groups, or numbers");
    }
    if (is_group) {
      list.groups.push_back(*id);
    } else {
      list.users.push_back(*id);
    }
  }
  return list;
}

std::string_view to_string(Right right) noexcept {
  switch (right) {
    case Right::read:
      return "read";
    case Right::write:
      return "write";
    case Right::administer:
      return "administer";
  }
  return "unknown";
}

void require_known(const Credentials& peer) {
  const auto refuse = [&](const char* what, std::uint32_t number) {
    throw Error(ErrorCode::denied, fmt::format("peer with pid {}", peer.pid),
                fmt::format("{} is shown as {}, as all are that the supervisor's user namespace "
                            "does not map, and so cannot be told from others",
                            what, number),
                "map it there (uidMappings of the container, /etc/subuid), or run the supervisor "
                "in the host's user namespace (without PrivateUsers=)");
  };
  if (shm::may_be_unmapped_user(peer.uid)) refuse("its user", peer.uid);
  if (shm::may_be_unmapped_group(peer.gid)) refuse("its group", peer.gid);
}

bool trusted(const Credentials& peer, uid_t supervisor) noexcept {
  return peer.uid == 0 || peer.uid == supervisor;
}

bool allowed(Right right, const Credentials& peer, const TopicAccess& access,
             uid_t supervisor) noexcept {
  if (trusted(peer, supervisor) || peer.uid == access.owner || access.admins.contains(peer)) {
    return true;
  }
  switch (right) {
    case Right::read:
      return access.readers.contains(peer);
    case Right::write:
      return access.writers.contains(peer);
    case Right::administer:
      return false;
  }
  return false;
}

nlohmann::json to_json(const TopicAccess& access) {
  return {{"owner", access.owner},
          {"readers", list_to_json(access.readers)},
          {"writers", list_to_json(access.writers)},
          {"admins", list_to_json(access.admins)}};
}

TopicAccess topic_access_from_json(const nlohmann::json& json) {
  const Fields fields(json, "access");
  return {fields.number<uid_t>("owner"), list_from_json(fields.object("readers")),
          list_from_json(fields.object("writers")), list_from_json(fields.object("admins"))};
}

}  // namespace ringway::control
