#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace ringway::storm {

/// CLOCK_MONOTONIC: one time for all processes of the storm.
inline std::int64_t now_ns() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

/// The plain text a role leaves behind. Lines are gathered and go out in one write(2), so that a
/// kill loses or cuts only the last ones.
class LineLog {
 public:
  explicit LineLog(const std::string& path)
      : descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) throw std::runtime_error(path + " cannot be written");
  }
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  ~LineLog() { ::close(descriptor_); }

  template <class... Words>
  void add(const char* kind, const Words&... words) {
    lines_ += kind;
    (append(words), ...);
    lines_ += '\n';
  }
  void write() {
    std::size_t done = 0;
    while (done < lines_.size()) {
      const ssize_t wrote = ::write(descriptor_, lines_.data() + done, lines_.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) throw std::runtime_error("the storm's log cannot be written");
      done += static_cast<std::size_t>(wrote);
    }
    lines_.clear();
  }

 private:
  template <class Word>
  void append(const Word& word) {
    lines_ += ' ';
    if constexpr (std::is_arithmetic_v<Word>) {
      lines_ += std::to_string(word);
    } else {
      lines_ += word;
    }
  }

  int descriptor_;
  std::string lines_;
};

}  // namespace ringway::storm
