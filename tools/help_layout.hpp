#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ringway::cli {

/// --help as it is read on a terminal of 80 columns: what there is on the left, what it is for on
/// the right. A list of verbs has of each only how its purpose begins; its own help has the rest.
class HelpLayout : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

}  // namespace ringway::cli
