#include "tools/quickstart_run/progress.hpp"

#include <cstdio>

namespace ringway::quickstart {

void Progress::show(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  const auto pause = line_.visible() ? std::chrono::milliseconds(100) : std::chrono::seconds(5);
  if (now - shown_ < pause) return;
  shown_ = now;
  if (line_.visible()) {
    line_.show(text);
  } else {
    std::fprintf(stderr, "  %s\n", text.c_str());
  }
}

void Progress::note(const std::string& text) {
  line_.clear();
  std::fprintf(stderr, "  %s\n", text.c_str());
}

}  // namespace ringway::quickstart
