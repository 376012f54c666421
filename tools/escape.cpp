#include "tools/escape.hpp"

#include <fmt/format.h>

#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Escape> read_escape(std::string_view text) noexcept {
  if (text.size() < 2) return std::nullopt;
  switch (text[1]) {
    case 'n':
      return Escape{'\n', 2};
    case 't':
      return Escape{'\t', 2};
    case 'r':
      return Escape{'\r', 2};
    case '0':
      return Escape{'\0', 2};
    case '\\':
      return Escape{'\\', 2};
    case 'x':
      break;
    default:
      return std::nullopt;
  }
  if (text.size() < 4) return std::nullopt;
  const int high = hex_digit(text[2]);
  const int low = hex_digit(text[3]);
  if (high < 0 || low < 0) return std::nullopt;
  return Escape{static_cast<char>(high * 16 + low), 4};
}

std::string unescape(std::string_view flag, std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      bytes.push_back(text[at++]);
      continue;
    }
    const auto escape = read_escape(text.substr(at));
    if (!escape) {
      throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag, text),
                  fmt::format("unknown escape at character {}", at + 1),
                  R"(write \n \t \r \0 \\ or \xNN, e.g. \x1e)");
    }
    bytes.push_back(escape->byte);
    at += escape->characters;
  }
  return bytes;
}

}  // namespace ringway::cli
