#pragma once

#include <optional>

#include "tools/top/controls.hpp"
#include "tools/top/history.hpp"
#include "tools/top/sparkline.hpp"

namespace ringway::cli::top {

/// The terminal while `ringway top` has it: as curses draws on it, as it was before when destroyed.
/// One at a time, one thread.
class Screen {
 public:
  /// Throws Error usage when standard output or input is no terminal, or TERM names none that is
  /// known.
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void draw(const History& history, Controls& controls);
  /// The next key that was pressed already; none when there is none left. `other`: a new size.
  std::optional<Key> key();

 private:
  void put(int row, const std::string& text, int attributes);
  void head(const History& history, const Controls& controls);
  void body(const History& history, Controls& controls);
  void help();

  Characters characters_;
  bool coloured_ = false;
};

}  // namespace ringway::cli::top
