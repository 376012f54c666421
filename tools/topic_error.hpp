#pragma once

#include <string>
#include <string_view>

#include "ringway/error.hpp"

namespace ringway::cli {

/// `topic 'orders'`: how errors name it.
std::string topic_thing(std::string_view topic);

/// What to throw where `topic` must exist: not_found becomes one that names the create command, or
/// what is wrong with a name that no topic can have.
Error advised(const Error& error, std::string_view topic);

}  // namespace ringway::cli
