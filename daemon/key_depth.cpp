#include "daemon/key_depth.hpp"

#include <algorithm>

namespace ringway::daemon {
namespace {

/// Behind the string that begins the text; all of it, where that is no TOML.
std::size_t length_of_string(std::string_view text) noexcept {
  const char quote = text.front();
  const bool of_lines = text.size() > 2 && text[1] == quote && text[2] == quote;
  std::size_t quotes = 0;  // in a row
  for (std::size_t i = of_lines ? 3 : 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      if (!of_lines) return i + 1;
      if (++quotes < 3) continue;
      const std::string_view next = text.substr(i + 1, 2);  // as many more are its last characters
      return i + 1 + std::min(next.find_first_not_of(quote), next.size());
    }
    quotes = 0;
    if (text[i] == '\n' && !of_lines) return text.size();
    if (text[i] == '\\' && quote == '"') ++i;
  }
  return text.size();
}

}  // namespace

std::optional<std::size_t> line_of_too_deep_key(std::string_view text) noexcept {
  std::size_t parts = 1;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i += length_of_string(text.substr(i));
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    // Within a key none of these stands outside of quotes.
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) parts = 1;
    if (c == '.' && ++parts > kKeyPartsMax) {
      return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, i), '\n'));
    }
    ++i;
  }
  return std::nullopt;
}

}  // namespace ringway::daemon
