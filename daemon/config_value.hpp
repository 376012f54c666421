#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/quantity.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

/// One value of the file, with what an error about it must say.
class Value {
 public:
  Value(const toml::node& node, std::string key, const std::string& file)
      : node_(node), key_(std::move(key)), file_(file) {}

  std::string text() const {
    const auto text = node_.value<std::string>();
    if (!text || !node_.is_string()) throw wrong("must be a string");
    return *text;
  }

  std::vector<std::string> names() const {
    const toml::array* array = node_.as_array();
    if (array == nullptr) throw wrong("must be an array of strings");
    std::vector<std::string> names;
    for (const toml::node& element : *array) {
      if (!element.is_string()) throw wrong("must be an array of strings");
      names.push_back(*element.value<std::string>());
    }
    return names;
  }

  bool flag() const {
    if (!node_.is_boolean()) throw wrong("must be true or false");
    return *node_.value<bool>();
  }

  template <class T>
  T count(std::uint64_t low, std::uint64_t high) const {
    if (!node_.is_integer()) throw wrong("must be an integer");
    const std::int64_t number = *node_.value<std::int64_t>();
    if (number < 0 || static_cast<std::uint64_t>(number) < low ||
        static_cast<std::uint64_t>(number) > high) {
      throw wrong(fmt::format("must lie in {}..{}", low, high));
    }
    return static_cast<T>(number);
  }

  /// "16MiB", or a number of bytes.
  std::uint64_t size() const {
    if (node_.is_integer()) return count<std::uint64_t>(0, kMost);
    return quantity([this] { return control::parse_size(key_, text()); });
  }

  /// "5ms".
  std::uint64_t duration_ms() const {
    return quantity([this] {
      const auto duration = control::parse_duration(key_, text());
      return static_cast<std::uint64_t>(
          std::chrono::ceil<std::chrono::milliseconds>(duration).count());
    });
  }

  std::uint32_t duration_ms(std::uint32_t low, std::uint32_t high) const {
    const std::uint64_t ms = duration_ms();
    if (ms < low || ms > high) {
      using control::format_duration;
      throw wrong(fmt::format("must lie in {}..{}", format_duration(std::chrono::milliseconds(low)),
                              format_duration(std::chrono::milliseconds(high))));
    }
    return static_cast<std::uint32_t>(ms);
  }

  template <class Enum, std::size_t N>
  Enum one_of(const std::array<std::pair<std::string_view, Enum>, N>& choices) const {
    const std::string chosen = text();
    std::vector<std::string_view> known;
    for (const auto& [name, value] : choices) {
      if (name == chosen) return value;
      known.push_back(name);
    }
    throw wrong(fmt::format("must be one of: {}", fmt::join(known, ", ")));
  }

  Error wrong(const std::string& rule, const std::string& fix = {}) const {
    return Error(ErrorCode::usage, fmt::format("{}:{}: {}", file_, node_.source().begin.line, key_),
                 rule, fix);
  }

 private:
  static constexpr auto kMost =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

  template <class Parse>
  std::uint64_t quantity(Parse&& parse) const {
    try {
      return parse();
    } catch (const Error& error) {
      throw wrong(error.rule(), error.fix());
    }
  }

  const toml::node& node_;
  std::string key_;
  const std::string& file_;
};

/// "did you mean 'x'?", when some known name is near.
std::string suggestion(std::string_view unknown, std::span<const std::string_view> known);

}  // namespace ringway::daemon
