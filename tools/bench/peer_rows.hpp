#pragma once

#include <string>
#include <vector>

#include "tools/output.hpp"

namespace ringway::cli {

/// Rows about what others do, from a program that measures them as `ringway bench` does and prints
/// them as JSON (tests/bench/peers): each with its "command".
class PeerRows {
 public:
  /// Throws Error(usage) where `program` cannot be run.
  PeerRows(std::string program, std::vector<std::string> arguments);

  /// Runs it to its end. Throws Error where it fails, and Interrupted: it is gone then, with
  /// everything that it started.
  Json measure() const;

 private:
  std::string program_;
  std::vector<std::string> arguments_;
};

}  // namespace ringway::cli
