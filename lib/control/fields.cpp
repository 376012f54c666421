#include "control/fields.hpp"

#include <fmt/format.h>

namespace ringway::control {

Fields::Fields(const nlohmann::json& json, std::string thing)
    : json_(&json), thing_(std::move(thing)) {
  if (!json.is_object()) throw Error(ErrorCode::usage, thing_, "must be a JSON object", "");
}

Error Fields::wrong(const char* name, const std::string& rule) const {
  return Error(ErrorCode::usage, fmt::format("field '{}' of {}", name, thing_), rule, "");
}

const nlohmann::json& Fields::any(const char* name) const {
  const auto found = json_->find(name);
  if (found == json_->end()) throw wrong(name, "is missing");
  return *found;
}

std::uint64_t Fields::unsigned_value(const nlohmann::json& value, const char* name,
                                     std::uint64_t low, std::uint64_t high) const {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number >= low && number <= high) return number;
  }
  throw wrong(name, fmt::format("must be a whole number from {} to {}", low, high));
}

std::uint64_t Fields::unsigned_at(const char* name, std::uint64_t low, std::uint64_t high) const {
  return unsigned_value(any(name), name, low, high);
}

std::int64_t Fields::signed_number(const char* name) const {
  const auto& value = any(name);
  constexpr std::uint64_t kHighest = std::numeric_limits<std::int64_t>::max();
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= kHighest
                                               : value.is_number_integer();
  if (!fits) throw wrong(name, "must be a whole number of 64 bits with sign");
  return value.get<std::int64_t>();
}

std::string Fields::text(const char* name, std::size_t bytes_max) const {
  const auto& value = any(name);
  if (!value.is_string() || value.get_ref<const std::string&>().size() > bytes_max) {
    throw wrong(name, fmt::format("must be a string of at most {} bytes", bytes_max));
  }
  return value;
}

bool Fields::flag(const char* name) const {
  const auto& value = any(name);
  if (!value.is_boolean()) throw wrong(name, "must be true or false");
  return value;
}

std::vector<std::string> Fields::texts(const char* name) const {
  std::vector<std::string> values;
  for (const auto& entry : array(name)) {
    if (!entry.is_string()) throw wrong(name, "must be an array of strings");
    values.push_back(entry);
  }
  return values;
}

Fields Fields::object(const char* name) const {
  return Fields(any(name), fmt::format("{}.{}", thing_, name));
}

const nlohmann::json& Fields::array(const char* name) const {
  const auto& value = any(name);
  if (!value.is_array()) throw wrong(name, "must be an array");
  return value;
}

}  // namespace ringway::control
