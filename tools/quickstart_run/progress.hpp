#pragma once

#include <chrono>
#include <string>

#include "tools/terminal.hpp"

namespace ringway::quickstart {

/// Says on stderr what goes on: on a terminal one line that is rewritten, else a plain line now and
/// then.
class Progress {
 public:
  void show(const std::string& text);
  /// A line that stays.
  void note(const std::string& text);

 private:
  cli::ProgressLine line_;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
};

}  // namespace ringway::quickstart
