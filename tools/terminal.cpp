#include "tools/terminal.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

/// A progress line is on the screen. Relaxed throughout: only looks are at stake.
std::atomic<bool> progress_shown{false};

}  // namespace

Written write_some(int fd, std::string_view text, std::size_t& done) {
  done = 0;
  while (done < text.size()) {
    const ssize_t wrote = write(fd, text.data() + done, text.size() - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
      continue;
    }
    if (errno == EAGAIN) {  // somebody made the pipe non-blocking
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      if (poll(&writable, 1, -1) >= 0) continue;
    }
    if (errno == EINTR) return Written::interrupted;
    if (errno == EPIPE) return Written::closed;
    throw system_error(errno, fd == STDERR_FILENO ? "standard error" : "standard output",
                       "cannot be written");
  }
  return Written::all;
}

Written write_all(int fd, std::string_view text) {
  for (;;) {
    std::size_t done = 0;
    const Written written = write_some(fd, text, done);
    if (written != Written::interrupted) return written;
    text.remove_prefix(done);
  }
}

Style style_of(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool coloured = isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0') &&
                        terminal != nullptr && std::string_view(terminal) != "dumb";
  return coloured ? Style::coloured : Style::plain;
}

ProgressLine::ProgressLine() : visible_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::show(std::string_view text) {
  if (!visible_) return;
  const std::string line = fmt::format("\r{}\033[K", text);
  // A progress line that cannot be written is not worth an error.
  if (write(STDERR_FILENO, line.data(), line.size()) > 0) {
    progress_shown.store(true, std::memory_order::relaxed);
  }
}

void ProgressLine::clear_shown() {
  if (!progress_shown.exchange(false, std::memory_order::relaxed)) return;
  static_cast<void>(write_all(STDERR_FILENO, "\r\033[K"));
}

}  // namespace ringway::cli
