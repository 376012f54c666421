#pragma once

// Headers of a record, as bytes behind its key: a run of { u16 key_bytes, u16 value_bytes, key,
// value }, little-endian. Read back by HeaderRange.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ringway/bytes.hpp"

namespace ringway {

/// Bytes that the headers take, or nothing when a name, a value or all together are longer than the
/// format allows (65,535).
std::optional<std::uint16_t> encoded_bytes(const Headers& headers) noexcept;

/// Writes them; `to` has room for encoded_bytes().
void encode(const Headers& headers, std::byte* to) noexcept;

}  // namespace ringway
