#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/channel.hpp"

namespace ringway::control {

/// Where names of accounts are looked up; replaced by tables in tests.
struct Accounts {
  std::function<std::optional<uid_t>(const std::string& name)> user;
  std::function<std::optional<gid_t>(const std::string& name)> group;

  /// The system's (getpwnam_r, getgrnam_r).
  static Accounts system();
};

/// Users and groups in numbers.
struct AccessList {
  std::vector<uid_t> users{};
  std::vector<gid_t> groups{};

  bool contains(const Credentials& peer) const noexcept;
};

/// Looks up a list of user names, "@group" names, or their numbers.
/// @throws Error not_found naming the first that does not exist.
AccessList resolve(const std::vector<std::string>& names, const Accounts& accounts);

enum class Right : std::uint8_t { read, write, administer };

/// "read", "write" or "administer".
std::string_view to_string(Right right) noexcept;

/// Who may do what with a topic.
struct TopicAccess {
  uid_t owner = 0;
  AccessList readers{}, writers{}, admins{};
};

/// The rule. Root and the supervisor's own user may do everything, so may a topic's owner and its
/// admins; readers may read; writers may write. To write is not to read: but who writes maps the
/// ring, so writers must be trusted with what others publish there.
bool allowed(Right right, const Credentials& peer, const TopicAccess& access,
             uid_t supervisor) noexcept;

/// Who is in no list, since the kernel cannot say who it is: a user or a group that this user
/// namespace does not map (user_namespace.hpp).
/// @throws Error denied, with what to do.
void require_known(const Credentials& peer);

/// Root and the supervisor's own user.
bool trusted(const Credentials& peer, uid_t supervisor) noexcept;

nlohmann::json to_json(const TopicAccess& access);
/// @throws Error naming the field that is wrong.
TopicAccess topic_access_from_json(const nlohmann::json& json);

}  // namespace ringway::control
