#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::cli {

/// Both ends are in.
template <std::unsigned_integral T>
struct NumberRange {
  T low = 0;
  T high = std::numeric_limits<T>::max();
};

/// Digits and nothing else. Throws Error(usage) that names the flag with its text, the rule, and an
/// example as the fix.
std::uint64_t parse_number(std::string_view flag, std::string_view text,
                           NumberRange<std::uint64_t> range);

/// The first of "-p,--partition".
inline std::string first_flag(const std::string& flags) {
  return flags.substr(0, flags.find(','));
}

/// An option that is a whole number. `into` lives until the command line is parsed, and is what
/// capture_default_str() shows.
template <std::unsigned_integral T>
CLI::Option* add_number(CLI::App& verb, const std::string& flags, T& into, const std::string& about,
                        NumberRange<T> range = {}) {
  const auto set = [&into, range, flag = first_flag(flags)](const std::string& text) {
    into = static_cast<T>(parse_number(flag, text, {range.low, range.high}));
  };
  return verb.add_option_function<std::string>(flags, set, about)
      ->type_name("N")
      ->default_function([&into] { return fmt::format("{}", into); });
}

/// The same where none is something else than any.
template <std::unsigned_integral T>
CLI::Option* add_number(CLI::App& verb, const std::string& flags, std::optional<T>& into,
                        const std::string& about, NumberRange<T> range = {}) {
  const auto set = [&into, range, flag = first_flag(flags)](const std::string& text) {
    into = static_cast<T>(parse_number(flag, text, {range.low, range.high}));
  };
  return verb.add_option_function<std::string>(flags, set, about)->type_name("N");
}

/// -p: partitions, repeated or with commas.
CLI::Option* add_partitions(CLI::App& verb, std::vector<std::uint32_t>& into,
                            const std::string& about);

}  // namespace ringway::cli
