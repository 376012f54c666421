#pragma once

#include <string>

namespace ringway::cli {

/// Asks the person at the terminal; true for yes. `loss` is what happens then, as in "deleting it
/// takes all its records". Throws Error(usage) where nobody is there to be asked.
bool confirmed(const std::string& question, const std::string& thing, const std::string& loss);

}  // namespace ringway::cli
