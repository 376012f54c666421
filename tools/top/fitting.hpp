#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tools/top/sparkline.hpp"
#include "tools/top/view.hpp"

namespace ringway::cli::top {

/// A table as it fits a screen.
struct Fitted {
  struct Column {
    std::size_t index;  ///< in the table
    std::size_t width;
  };
  std::vector<Column> columns;
  std::size_t trend_width = 0;  ///< 0: no room
};

/// Columns that may go do so, the most dispensable first, until the rest fits; before that the
/// first and the last column, which are text of any length, are cut.
Fitted fit(const Table& table, std::size_t width);

/// `line` (the headings where it is null), with columns parted by a space, no wider than `width`.
std::string text_of(const Table& table, const Fitted& fitted, const Line* line, std::size_t width,
                    Characters characters);

/// What a terminal can show of text that somebody else chose: no control characters, and only
/// ASCII where it knows no other.
std::string printable(std::string_view text, Characters characters);
/// How many characters of UTF-8 it has.
std::size_t width_of(std::string_view text);
/// Its first `width` characters, the last one replaced by "~" where more follow.
std::string cut(std::string_view text, std::size_t width);

}  // namespace ringway::cli::top
