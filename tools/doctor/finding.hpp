#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ringway::cli::doctor {

/// From good to bad; `unchecked` and `note` ask nobody to act.
enum class Severity : unsigned char {
  ok,
  unchecked,  ///< it could not be looked at, and `what` says why
  note,       ///< costs speed or comfort
  warning,    ///< costs a promise, or will
  error,      ///< does not work
};

std::string_view to_string(Severity severity) noexcept;

/// One thing that was looked at.
struct Finding {
  Severity severity{};
  std::string check;  ///< a word, the same in every version: "governor"
  std::string what;   ///< as it was found
  std::string why{};  ///< why it matters; of what is not well
  std::string fix{};  ///< a command that mends it, as it is typed; never run from here
};

using Findings = std::vector<Finding>;

inline Findings well(std::string check, std::string what) {
  return {{Severity::ok, std::move(check), std::move(what)}};
}
inline Findings not_checked(std::string check, std::string reason) {
  return {{Severity::unchecked, std::move(check), std::move(reason)}};
}

}  // namespace ringway::cli::doctor
