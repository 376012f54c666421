#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace ringway::control {

/// `word` as a shell takes it, for the commands that errors name.
std::string shell_quoted(std::string_view word);

/// What to type for a command on things of these names: "ringway topic alter orders --ring 4MiB".
/// Where one of them looks like an option they come last: "ringway topic delete --yes -- '-x'".
std::string typed(std::string_view command, std::initializer_list<std::string_view> names,
                  std::string_view options = {});

}  // namespace ringway::control
