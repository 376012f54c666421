#pragma once

#include <string>

#include "log/repair_plan.hpp"

namespace ringway::log {

/// The file in the directory of what was cut that says what, when, why and from where.
inline constexpr const char* kCutNote = "what-was-cut.txt";

/// Does what plan_repair() found, while nobody else writes there. What is cut goes into
/// `cut_directory`, a name that is not taken within `directory`: files as they are; of those that
/// stay the pieces that are written over or given up, as NAME.at-<file_pos>; and the note, which
/// begins with `preface`. Whoever dies on the way, or is refused something, leaves a log that gives
/// no reader less than it did before; planned and done again, it is repaired.
/// Throws Error naming what was refused; where nothing was changed yet, `cut_directory` is empty.
void repair_log(storage::FileSystem& file_system, const std::string& directory,
                const RepairPlan& plan, const std::string& cut_directory,
                const std::string& preface);

}  // namespace ringway::log
