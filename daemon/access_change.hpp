#pragma once

#include "control/access.hpp"
#include "control/messages.hpp"
#include "daemon/config.hpp"
#include "daemon/topic.hpp"

namespace ringway::daemon {

/// The settings of a topic after rights were given or taken. Given twice is given. Pure, but for
/// `accounts`, which must know whom a right is given to.
/// @throws Error not_found: a right is taken from who was not given it, or an account is unknown;
/// usage: too many, or none is named.
TopicSettings changed(const std::string& topic, const TopicSettings& settings,
                      const control::ChangeAccess& change, const control::Accounts& accounts);

/// Who may do what with a topic, and where that stands.
control::AccessReport access_report(const Topic& topic, const Config& config, std::uint32_t self);

}  // namespace ringway::daemon
