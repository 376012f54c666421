#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringway::shm {

using Uuid = std::array<std::uint8_t, 16>;

/// A random (version 4) UUID.
Uuid random_uuid();

/// "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", lower case.
std::string to_string(const Uuid& uuid);

/// Reads exactly what to_string writes (either case); nothing else.
std::optional<Uuid> parse_uuid(std::string_view text) noexcept;

}  // namespace ringway::shm
