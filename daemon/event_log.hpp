#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/event_name.hpp"

namespace ringway::daemon {

enum class Severity : std::uint8_t { debug, info, warning, error };

std::string_view to_string(Severity severity) noexcept;
/// Of "debug", "info", "warning" or "error".
Severity severity_of(std::string_view name) noexcept;

/// One key of an event and its value; numbers and text alike.
struct LogField {
  LogField(std::string_view key_, std::string_view text) : key(key_), value(text) {}
  LogField(std::string_view key_, const std::string& text)
      : LogField(key_, std::string_view(text)) {}
  LogField(std::string_view key_, const char* text) : LogField(key_, std::string_view(text)) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view key_, Number number) : key(key_), value(fmt::format("{}", number)) {}

  std::string_view key;
  std::string value;
};

/// What happened, for as long as the sink is called.
struct Event {
  Severity severity{};
  std::string_view name;
  std::span<const LogField> fields{};
};

/// "event=name key=value ...". Text with blanks, quotes, '=' or control characters is quoted, so
/// that a hostile name cannot forge a line.
std::string line_of(const Event& event);

/// Where the supervisor says what a person may have to act on. Handed around by reference; the sink
/// must be fit for every thread that writes.
class EventLog {
 public:
  using Sink = std::function<void(const Event&)>;

  explicit EventLog(Sink sink, Severity least = Severity::debug)
      : sink_(std::move(sink)), least_(least) {}

  /// From now on nothing below it is written. Any thread.
  void set_least(Severity least) noexcept { least_.store(least, std::memory_order::relaxed); }

  /// From now on `seen` is called with each event, whether it is written or not, but for those of
  /// level debug. Before other threads write.
  void watch(Sink seen) { seen_ = std::move(seen); }

  void write(Severity severity, EventName event, std::span<const LogField> fields) const {
    if (seen_ && severity > Severity::debug) seen_({severity, event, fields});
    // Relaxed: nothing hangs on which events of other threads it still counts for.
    if (severity >= least_.load(std::memory_order::relaxed)) sink_({severity, event, fields});
  }
  void write(Severity severity, EventName event,
             std::initializer_list<LogField> fields = {}) const {
    write(severity, event, std::span(fields.begin(), fields.size()));
  }
  void info(EventName event, std::initializer_list<LogField> fields = {}) const {
    write(Severity::info, event, fields);
  }
  void warning(EventName event, std::initializer_list<LogField> fields = {}) const {
    write(Severity::warning, event, fields);
  }
  void error(EventName event, std::initializer_list<LogField> fields = {}) const {
    write(Severity::error, event, fields);
  }

 private:
  Sink sink_;
  Sink seen_;
  std::atomic<Severity> least_;
};

}  // namespace ringway::daemon
