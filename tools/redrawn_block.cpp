#include "tools/redrawn_block.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace ringway::cli {
namespace {

constexpr unsigned kUsualRows = 24;

bool can_redraw() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

std::string redrawn(std::string_view text, unsigned rows) {
  // Without wrapping a line is a line, however long.
  std::string screen = "\033[H\033[?7l";
  for (unsigned row = 0; row < rows && !text.empty(); ++row) {
    const std::size_t end = text.find('\n');
    if (row != 0) screen += "\r\n";
    screen.append(text.substr(0, end)).append("\033[K");
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return screen + "\033[J\033[?7h";
}

RedrawnBlock::RedrawnBlock() : redraws_(can_redraw()) {}

Written RedrawnBlock::show(std::string_view text) {
  if (!redraws_) return write_all(STDOUT_FILENO, text);
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0;
  return write_all(STDOUT_FILENO, redrawn(text, known ? size.ws_row : kUsualRows));
}

}  // namespace ringway::cli
