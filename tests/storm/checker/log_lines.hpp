#pragma once

#include <charconv>
#include <cstdint>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace storm_check {

/// One line, word by word.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  std::string_view word() {
    const std::size_t end = rest_.find(' ');
    const std::string_view found = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (found.empty()) throw std::invalid_argument("a word is missing");
    return found;
  }
  template <class Number = std::uint64_t>
  Number number() {
    const std::string_view text = word();
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
      throw std::invalid_argument("'" + std::string(text) + "' is no number");
    }
    return value;
  }

 private:
  std::string_view rest_;
};

/// Every whole line of the file. What a kill cut off in the middle of a line does not count.
/// @throws std::runtime_error naming file and line that cannot be read.
inline void each_line(const std::string& path, const std::function<void(Line)>& take) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be opened");
  std::string line;
  for (std::uint64_t number = 1; std::getline(file, line) && !file.eof(); ++number) {
    try {
      take(Line(line));
    } catch (const std::exception& error) {
      throw std::runtime_error(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
}

}  // namespace storm_check
