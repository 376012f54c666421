#pragma once

#include <string>
#include <string_view>

#include "ringway/error.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// What a shell sees. Documented in `ringway --help`.
enum class Exit : int {
  ok = 0,
  error = 1,
  usage = 2,
  not_found = 3,
  denied = 4,
  degraded = 5,  ///< status, doctor and log verify: they worked, and what they saw is not well
  timeout = 6,
};

Exit exit_of(ErrorCode code) noexcept;

/// The enumerator's own name, e.g. "not_found": what stands in JSON.
std::string_view name_of(ErrorCode code) noexcept;

/// One line for standard error, whatever the format, so that standard output holds data only:
///   ringway: thing: rule; fix
///   {"error":{"code":"not_found","thing":"...","rule":"...","fix":"..."}}
std::string error_line(const Error& error, Format format);

}  // namespace ringway::cli
