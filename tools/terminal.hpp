#pragma once

#include <cstddef>
#include <string_view>

#include "tools/output.hpp"

namespace ringway::cli {

/// What became of a write to standard output or error.
enum class [[nodiscard]] Written : unsigned char {
  all,
  closed,       ///< nobody reads any more (EPIPE): end quietly with 0
  interrupted,  ///< a signal arrived first; `done` says how far it got
};

/// Writes `text` with write(2), waiting where `fd` does not block; `done` counts the bytes that
/// have left, also before a throw. SIGPIPE must be ignored (main does). Throws Error(failed).
Written write_some(int fd, std::string_view text, std::size_t& done);

/// Writes all of `text`, going on after signals. Never `interrupted`.
Written write_all(int fd, std::string_view text);

/// Coloured when `fd` is a terminal that is not dumb and NO_COLOR is unset or empty.
Style style_of(int fd);

/// One line on standard error that is rewritten in place; nothing at all when that is no terminal.
/// Owned by one verb, used by one thread; gone from the screen when destroyed. One at a time.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Whether anybody sees it, so that the text need not be made in vain.
  bool visible() const noexcept { return visible_; }
  void show(std::string_view text);
  void clear() { clear_shown(); }
  /// Before something else is said there; from any thread, whoever shows one.
  static void clear_shown();

 private:
  bool visible_;
};

}  // namespace ringway::cli
