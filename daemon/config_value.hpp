#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/quantity.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

/// One value of the configuration, with what an error about it must say.
class Value {
 public:
  /// What it stands in: a file, whose lines count, or a variable or an option.
  enum class Source : std::uint8_t { file, line };

  Value(const toml::node& node, std::string key, std::string source, Source kind)
      : node_(node), key_(std::move(key)), source_(std::move(source)), kind_(kind) {}

  /// One that stands in this one.
  Value within(const toml::node& node, std::string key) const {
    return {node, std::move(key), source_, kind_};
  }

  const std::string& key() const noexcept { return key_; }
  /// "FILE:LINE", or the variable or option.
  std::string where() const {
    return kind_ == Source::line ? source_
                                 : fmt::format("{}:{}", source_, node_.source().begin.line);
  }
  /// As TOML.
  std::string written() const {
    std::ostringstream text;
    text << toml::toml_formatter(node_, toml::format_flags::none);
    return text.str();
  }

  const toml::table& table(const std::string& rule) const {
    if (node_.as_table() == nullptr) throw wrong(rule);
    return *node_.as_table();
  }
  std::string text() const {
    const auto text = node_.value<std::string>();
    if (!text || !node_.is_string()) throw wrong("must be a string");
    return *text;
  }

  std::string path() const {
    std::string path = text();
    if (path.empty()) throw wrong("is empty", "name a path, or leave the key out");
    return path;
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

  /// Its elements, where it is an array.
  std::vector<Value> elements() const {
    std::vector<Value> all;
    if (const toml::array* const array = node_.as_array()) {
      for (const toml::node& element : *array) all.push_back(within(element, key_));
    }
    return all;
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
    return Error(ErrorCode::usage, fmt::format("{}: {}", where(), key_), rule, fix);
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
  std::string source_;
  Source kind_;
};

/// With quotes, as TOML has it.
std::string toml_string(const std::string& text);

/// "did you mean 'x'?", when some known name is near.
std::string suggestion(std::string_view unknown, std::span<const std::string_view> known);

}  // namespace ringway::daemon
