#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringway::control {

/// The next code point, which is removed from `text`; -1 where it is no well-formed UTF-8 (overlong
/// forms and surrogates are not), and then nothing is removed. `text` must not be empty.
std::int32_t next_code_point(std::string_view& text);

bool is_utf8(std::string_view text);

/// `text` to be shown: a byte that belongs to no code point as \xNN.
std::string with_escaped_bytes(std::string_view text);

}  // namespace ringway::control
