#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringway::control {

/// The next code point, which is removed from `text`; -1 where it is no well-formed UTF-8 (overlong
/// forms and surrogates are not), and then nothing is removed. `text` must not be empty.
std::int32_t next_code_point(std::string_view& text);

/// Those below space, and those behind '~' to U+009F.
constexpr bool is_control(std::int32_t code_point) noexcept {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

bool is_utf8(std::string_view text);

/// The beginning of `text`, of so many bytes at most, that ends with a whole code point.
std::string_view cut(std::string_view text, std::size_t bytes_max) noexcept;

/// `text` to be shown: bytes that belong to no code point, or to a control character, as \xNN.
std::string with_escaped_bytes(std::string_view text);

}  // namespace ringway::control
