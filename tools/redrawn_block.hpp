#pragma once

#include <string>
#include <string_view>

#include "tools/terminal.hpp"

namespace ringway::cli {

/// Text for standard output that is shown again and again: on a terminal each takes the place of
/// the one before, as far as the screen has room; elsewhere they follow one another. Owned by one
/// verb, used by one thread.
class RedrawnBlock {
 public:
  RedrawnBlock();

  /// Whether people see each block replaced by the next.
  bool redraws() const noexcept { return redraws_; }
  Written show(std::string_view text);

 private:
  bool redraws_;
};

/// What a terminal of `rows` lines is sent for `text`: from its upper left corner on, the rest of
/// the screen cleared, no more lines than it has.
std::string redrawn(std::string_view text, unsigned rows);

}  // namespace ringway::cli
