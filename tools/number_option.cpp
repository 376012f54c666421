#include "tools/number_option.hpp"

#include <algorithm>
#include <charconv>

#include "ringway/error.hpp"

namespace ringway::cli {

std::uint64_t parse_number(std::string_view flag, std::string_view text,
                           NumberRange<std::uint64_t> range) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= range.low &&
      number <= range.high) {
    return number;
  }
  throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag, text),
              fmt::format("is no whole number from {} to {}", range.low, range.high),
              fmt::format("write one, e.g. {}", std::max<std::uint64_t>(range.low, 1)));
}

CLI::Option* add_partitions(CLI::App& verb, std::vector<std::uint32_t>& into,
                            const std::string& about) {
  const auto set = [&into](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      into.push_back(static_cast<std::uint32_t>(parse_number("-p", text, {.high = UINT32_MAX})));
    }
  };
  return verb.add_option_function<std::vector<std::string>>("-p,--partition", set, about)
      ->type_name("PARTITION")
      ->delimiter(',')
      ->allow_extra_args(false);
}

}  // namespace ringway::cli
