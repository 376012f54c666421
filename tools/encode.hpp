#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

// Bytes and numbers as text, appended to a string the caller owns and reuses: nothing here
// allocates but to grow it.

namespace ringway::cli {

enum class Padding : unsigned char { none, equals };

void append_hex(std::string& out, std::string_view bytes);
void append_base64(std::string& out, std::string_view bytes, Padding padding);

/// Appends `text` as a JSON string. When it is not strictly UTF-8 (overlong forms, surrogates and
/// what lies beyond U+10FFFF are not), appends {"base64":"..."} of its bytes instead.
void append_json_bytes(std::string& out, std::string_view text);

template <std::integral Number>
void append_number(std::string& out, Number number, int base = 10) {
  char digits[66];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), number, base).ptr);
}

}  // namespace ringway::cli
