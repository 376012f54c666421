#include "daemon/config_value.hpp"

#include "control/nearest_word.hpp"

namespace ringway::daemon {
std::string toml_string(const std::string& text) {
  std::ostringstream written;
  written << toml::toml_formatter(toml::value<std::string>(text), toml::format_flags::none);
  return written.str();
}

std::string suggestion(std::string_view unknown, std::span<const std::string_view> known) {
  if (const auto nearest = control::nearest_word(unknown, known)) {
    return fmt::format("did you mean '{}'?", *nearest);
  }
  return "ringwayd --help lists the keys";
}

}  // namespace ringway::daemon
