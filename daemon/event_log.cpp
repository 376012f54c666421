#include "daemon/event_log.hpp"

#include <algorithm>

namespace ringway::daemon {
namespace {

bool is_plain(char c) {
  return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
}

std::string as_value(std::string_view text) {
  // Bytes above 0x7f are parts of UTF-8 letters; `char` is signed here, so they compare below ' '.
  const auto fit = [](char c) { return static_cast<signed char>(c) < 0 || is_plain(c); };
  if (!text.empty() && std::ranges::all_of(text, fit)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if ((static_cast<signed char>(c) >= 0 && c < ' ') || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::debug:
      return "debug";
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "unknown";
}

Severity severity_of(std::string_view name) noexcept {
  for (const Severity severity : {Severity::debug, Severity::info, Severity::warning}) {
    if (name == to_string(severity)) return severity;
  }
  return Severity::error;
}

std::string line_of(const Event& event) {
  std::string line = fmt::format("event={}", event.name);
  for (const LogField& field : event.fields) {
    line += fmt::format(" {}={}", field.key, as_value(field.value));
  }
  return line;
}

}  // namespace ringway::daemon
