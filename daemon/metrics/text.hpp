#pragma once

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringway::daemon::metrics {

/// What a family of samples is.
enum class Kind : std::uint8_t { counter, gauge, histogram };

/// The labels of a sample, as they stand between the braces.
class Labels {
 public:
  Labels& add(std::string_view name, std::string_view value) {
    if (!text_.empty()) text_ += ',';
    text_ += name;
    text_ += "=\"";
    for (const char c : value) {
      if (c == '\\' || c == '"') text_ += '\\';
      if (c == '\n') {
        text_ += "\\n";
      } else {
        text_ += c;
      }
    }
    text_ += '"';
    return *this;
  }
  template <std::integral Number>
  Labels& add(std::string_view name, Number value) {
    return add(name, std::string_view(fmt::format_int(value).c_str()));
  }

  const std::string& text() const noexcept { return text_; }
  std::size_t size() const noexcept { return text_.size(); }
  /// Back to as many bytes as size() was.
  void cut(std::size_t size) { text_.resize(size); }

 private:
  std::string text_;
};

/// Appends Prometheus' text format (version 0.0.4) to a string.
class Text {
 public:
  explicit Text(std::string& out) : out_(out) {}

  void family(std::string_view name, Kind kind, std::string_view help) {
    constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};
    out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                        kKinds[static_cast<int>(kind)]);
  }

  void sample(std::string_view name, const Labels& labels, std::uint64_t value) {
    char digits[20];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    line(name, labels, {digits, static_cast<std::size_t>(end - digits)});
  }
  void sample(std::string_view name, const Labels& labels, double value) {
    line(name, labels, fmt::format("{}", value));
  }

 private:
  void line(std::string_view name, const Labels& labels, std::string_view value) {
    out_ += name;
    if (labels.size() != 0) {
      out_ += '{';
      out_ += labels.text();
      out_ += '}';
    }
    out_ += ' ';
    out_ += value;
    out_ += '\n';
  }

  std::string& out_;
};

}  // namespace ringway::daemon::metrics
