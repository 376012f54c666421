#pragma once

#include <unistd.h>

#include <string>
#include <vector>

#include "tools/command_line.hpp"
#include "tools/output.hpp"
#include "tools/terminal.hpp"

namespace ringway::cli {

/// Prints what was measured as --output has it: a table each, an array, or one object a line.
template <class Result>
Exit show(const std::vector<Result>& results, const Common& common) {
  std::string text;
  Json all = Json::array();
  for (const Result& result : results) {
    if (common.format == Format::table) {
      text += (text.empty() ? "" : "\n") + result.table(style_of(STDOUT_FILENO));
    }
    if (common.format == Format::jsonl) text += result.json().dump() + "\n";
    if (common.format == Format::json) all.push_back(result.json());
  }
  if (common.format == Format::json) text = all.dump(2) + "\n";
  static_cast<void>(write_all(STDOUT_FILENO, text));
  return Exit::ok;
}

}  // namespace ringway::cli
