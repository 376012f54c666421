#include "control/shell_word.hpp"

#include <algorithm>

namespace ringway::control {

std::string shell_quoted(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-@").find(c) != std::string_view::npos;
  };
  if (!word.empty() && word.front() != '-' && std::all_of(word.begin(), word.end(), plain)) {
    return std::string(word);
  }
  std::string quoted = "'";
  for (const char c : word) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

std::string typed(std::string_view command, std::initializer_list<std::string_view> names,
                  std::string_view options) {
  const bool disguised =
      std::ranges::any_of(names, [](std::string_view name) { return name.starts_with('-'); });
  std::string line(command);
  const auto append = [&line](std::string_view words) { (line += ' ') += words; };
  if (disguised && !options.empty()) append(options);
  if (disguised) append("--");
  for (const std::string_view name : names) append(shell_quoted(name));
  if (!disguised && !options.empty()) append(options);
  return line;
}

}  // namespace ringway::control
