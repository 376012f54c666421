#pragma once

#include <string>

#include "tools/doctor/finding.hpp"
#include "tools/failure.hpp"
#include "tools/output.hpp"

namespace ringway::cli::doctor {

/// What `ringway doctor` prints: a line for each check, and below what is not well, why it matters
/// and what mends it; or {"findings": […], "errors", "warnings", "notes", "unchecked"}.
std::string render(const Findings& findings, Format format, Style style);

/// 0: nothing; 5: a warning; 1: an error.
Exit verdict(const Findings& findings) noexcept;

}  // namespace ringway::cli::doctor
