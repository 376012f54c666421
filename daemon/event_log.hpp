#pragma once

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace ringway::daemon {

enum class Severity : std::uint8_t { debug, info, warning, error };

std::string_view to_string(Severity severity) noexcept;

/// One key of a line and its value; numbers and text alike. Text with blanks, quotes, '=' or
/// control characters is quoted, so that a hostile name cannot forge a line.
struct LogField {
  LogField(std::string_view key_, std::string_view text);
  LogField(std::string_view key_, const std::string& text)
      : LogField(key_, std::string_view(text)) {}
  LogField(std::string_view key_, const char* text) : LogField(key_, std::string_view(text)) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view key_, Number number) : key(key_), value(fmt::format("{}", number)) {}

  std::string_view key;
  std::string value;
};

/// Where the supervisor says what a person may have to act on: "event=name key=value ...". Handed
/// around by reference; the sink must be fit for every thread that writes.
class EventLog {
 public:
  using Sink = std::function<void(Severity, std::string_view line)>;

  explicit EventLog(Sink sink) : sink_(std::move(sink)) {}

  void write(Severity severity, std::string_view event, std::span<const LogField> fields) const;
  void write(Severity severity, std::string_view event,
             std::initializer_list<LogField> fields = {}) const {
    write(severity, event, std::span(fields.begin(), fields.size()));
  }
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) const {
    write(Severity::info, event, fields);
  }
  void warning(std::string_view event, std::initializer_list<LogField> fields = {}) const {
    write(Severity::warning, event, fields);
  }
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) const {
    write(Severity::error, event, fields);
  }

 private:
  Sink sink_;
};

}  // namespace ringway::daemon
