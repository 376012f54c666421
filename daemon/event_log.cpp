#include "daemon/event_log.hpp"

#include "control/utf8.hpp"

namespace ringway::daemon {
namespace {

std::string as_value(std::string_view text) {
  std::string words;
  for (const char c : text) {
    if (c == '"' || c == '\\') words += '\\';
    words += c;
  }
  words = control::with_escaped_bytes(words);
  const bool is_plain = !text.empty() && words == text && text.find_first_of(" =") == text.npos;
  return is_plain ? words : '"' + words + '"';
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
