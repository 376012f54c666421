#include "control/utf8.hpp"

#include <fmt/format.h>

namespace ringway::control {

std::int32_t next_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return -1;
  std::int32_t point = static_cast<std::int32_t>(length == 1 ? first : first & (0x7fu >> length));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return -1;
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr std::int32_t kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kLowest[length] || point > 0x10ffff || surrogate) return -1;
  text.remove_prefix(length);
  return point;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (next_code_point(text) < 0) return false;
  }
  return true;
}

std::string_view cut(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  while (bytes_max > 0 && continues(text[bytes_max])) --bytes_max;
  return text.substr(0, bytes_max);
}

std::string with_escaped_bytes(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    std::string_view rest = text;
    const std::int32_t point = next_code_point(rest);
    const std::string_view bytes = text.substr(0, point < 0 ? 1 : text.size() - rest.size());
    text.remove_prefix(bytes.size());
    if (point >= 0 && !is_control(point)) {
      shown += bytes;
      continue;
    }
    for (const char byte : bytes) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return shown;
}

}  // namespace ringway::control
