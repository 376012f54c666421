#include "daemon/printing.hpp"

#include <cerrno>
#include <cstdio>

#include "ringway/error.hpp"

namespace ringway::daemon {

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
      std::fflush(stdout) == 0) {
    return;
  }
  throw system_error(errno, "standard output", "cannot be written",
                     "make room, or have it written elsewhere");
}

void complain(std::string_view line) noexcept {
  std::fprintf(stderr, "ringwayd: %.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace ringway::daemon
