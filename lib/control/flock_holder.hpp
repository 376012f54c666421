#pragma once

#include <sys/types.h>

#include <string>

namespace ringway::control {

/// The process that has locked the directory with flock(), where it is root's or this user's and
/// still has it open; else 0: what a stranger locks, or a dead process's child has inherited, keeps
/// nobody out.
pid_t flock_holder(const std::string& directory) noexcept;

}  // namespace ringway::control
