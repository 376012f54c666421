#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/fields.hpp"
#include "shm/uuid.hpp"

namespace ringway::control {

// What requests and replies share.

/// For replies, and for what was checked: never throws for the sake of a byte; what is not UTF-8
/// becomes U+FFFD.
inline std::string text_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// A request must mean what was written: replaced bytes would name another thing.
/// @throws Error(usage) naming the text of `request` that is not UTF-8, if any.
void demand_utf8(const nlohmann::json& request);

inline shm::Uuid uuid(const Fields& fields, const char* name) {
  const auto uuid = shm::parse_uuid(fields.text(name, 64));
  if (!uuid) throw fields.wrong(name, "must be a UUID");
  return *uuid;
}

inline std::optional<std::uint64_t> optional_number(const Fields& fields, const char* name) {
  if (!fields.has(name)) return std::nullopt;
  return fields.number<std::uint64_t>(name);
}

}  // namespace ringway::control
