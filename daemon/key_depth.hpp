#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ringway::daemon {

/// Of a dotted key or of the header of a table: topics."NAME".readers has three.
inline constexpr std::size_t kKeyPartsMax = 8;

/// The line of the first key of more parts, which stands for as many tables, one in the other: they
/// would be freed by recursion. Where there is none, toml::parse() can be given the text; what is
/// no TOML is that one's to refuse.
std::optional<std::size_t> line_of_too_deep_key(std::string_view text) noexcept;

}  // namespace ringway::daemon
