#include "tools/confirmation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "ringway/error.hpp"
#include "tools/terminal.hpp"

namespace ringway::cli {

bool confirmed(const std::string& question, const std::string& thing, const std::string& loss) {
  if (!isatty(STDIN_FILENO)) {
    throw Error(ErrorCode::usage, thing, loss + ", and nobody is there to be asked", "add --yes");
  }
  static_cast<void>(write_all(STDERR_FILENO, fmt::format("{} [y/N] ", question)));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace ringway::cli
