#pragma once

#include <sys/types.h>

#include <string>

namespace ringway::control {

/// What to do where one cannot be made or used.
inline constexpr const char* kDirectoryAdvice =
    "name a directory of your own: XDG_RUNTIME_DIR, XDG_STATE_HOME, or the options --runtime-dir "
    "and --state-dir of ringwayd";

/// The same where `error_number` is why: what is read-only to a service its unit can open.
std::string directory_advice(int error_number, const std::string& directory);

/// Creates the directory and those missing above it, each with exactly this mode. One that exists
/// is left as it is; what was made goes again where the rest is refused. A loss of power may take
/// them: that is enough for sockets, which do not outlive it either.
/// @throws Error naming the component that cannot be created.
void create_directories(const std::string& path, mode_t mode);

/// The same, and a loss of power takes none of them, whoever made them. That takes a sync of each
/// directory above, up to where the file system is mounted, which is left to the file system where
/// it has no such sync.
/// @throws Error also naming the directory that cannot be synced.
void create_durable_directories(const std::string& path, mode_t mode);

/// A loss of power takes none of the files that the directory names now.
/// @throws Error naming the directory.
void sync_directory(const std::string& path);

}  // namespace ringway::control
