#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ringway/error.hpp"

namespace ringway::control {

/// Strict reading of a JSON object that a stranger sent: each field must have the right type and
/// lie in its range, or an Error names it. Unknown fields are ignored. The object must outlive it.
class Fields {
 public:
  /// @throws Error when `json` is no object. `thing` says in errors whose fields they are.
  Fields(const nlohmann::json& json, std::string thing);

  bool has(const char* name) const { return json_->contains(name) && !(*json_)[name].is_null(); }

  template <std::unsigned_integral T>
  T number(const char* name, T low = 0, T high = std::numeric_limits<T>::max()) const {
    return static_cast<T>(unsigned_at(name, low, high));
  }
  std::int64_t signed_number(const char* name) const;
  std::string text(const char* name, std::size_t bytes_max = 4096) const;
  bool flag(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  Fields object(const char* name) const;
  /// An array of objects, each to be wrapped in Fields by the caller.
  const nlohmann::json& array(const char* name) const;
  const nlohmann::json& any(const char* name) const;

  template <std::unsigned_integral T>
  std::vector<T> numbers(const char* name) const {
    std::vector<T> values;
    for (const auto& entry : array(name)) {
      values.push_back(
          static_cast<T>(unsigned_value(entry, name, 0, std::numeric_limits<T>::max())));
    }
    return values;
  }

  Error wrong(const char* name, const std::string& rule) const;

 private:
  std::uint64_t unsigned_at(const char* name, std::uint64_t low, std::uint64_t high) const;
  std::uint64_t unsigned_value(const nlohmann::json& value, const char* name, std::uint64_t low,
                               std::uint64_t high) const;

  const nlohmann::json* json_;
  std::string thing_;
};

}  // namespace ringway::control
