#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/doctor/facts.hpp"

namespace ringway::cli::doctor {

/// What every kernel that Ringway runs on has, where nobody keeps it from a process.
struct Feature {
  std::string_view name;                ///< as `status` and RINGWAY_WITHOUT call it
  std::vector<std::string_view> calls;  ///< that a filter has to allow
};

/// Whether the supervisor says that it does without.
bool does_without(const Facts& facts, std::string_view feature);

/// What keeps a process from a feature, and what to do about that.
struct Cause {
  std::string what;
  std::string fix;
};

/// Of the supervisor, where it does without; else of this shell.
Cause cause_of_missing(const Facts& facts, const Feature& feature);

}  // namespace ringway::cli::doctor
