#include "tools/note.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "ringway/error.hpp"
#include "tools/terminal.hpp"

namespace ringway::cli {

void note(std::string_view line) {
  try {
    ProgressLine::clear_shown();
    static_cast<void>(write_all(STDERR_FILENO, fmt::format("ringway: {}\n", line)));
  } catch (const Error&) {
    // Who closed standard error does not want to know.
  }
}

}  // namespace ringway::cli
