#include "daemon/event_log.hpp"

#include <algorithm>

namespace ringway::daemon {
namespace {

bool is_plain(char c) {
  return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
}

std::string quoted(std::string_view text) {
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

LogField::LogField(std::string_view key_, std::string_view text) : key(key_), value(quoted(text)) {}

void EventLog::write(Severity severity, std::string_view event,
                     std::span<const LogField> fields) const {
  std::string line = fmt::format("event={}", event);
  for (const LogField& field : fields) line += fmt::format(" {}={}", field.key, field.value);
  sink_(severity, line);
}

}  // namespace ringway::daemon
