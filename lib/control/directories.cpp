#include "control/directories.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::control {
namespace {

/// What is in `path` by name outlives power loss then. Where the directory may not be read, or its
/// file system has no sync, that is left to the file system.
void sync_entries(const std::filesystem::path& path) {
  const shm::Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) static_cast<void>(::fsync(directory.get()));
}

/// An empty one may be left by somebody who died before he had synced it.
bool holds_nothing(const std::filesystem::path& directory) {
  std::error_code refused;
  return std::filesystem::is_empty(directory, refused) && !refused;
}

}  // namespace

void create_directories(const std::string& path, mode_t mode) {
  std::filesystem::path reached;
  for (const auto& component : std::filesystem::absolute(path)) {
    reached /= component;
    if (::mkdir(reached.c_str(), mode) == 0) {
      ::chmod(reached.c_str(), mode);  // whatever the umask took away
      sync_entries(reached.parent_path());
      continue;
    }
    const int refused = errno;
    if (refused == EEXIST && holds_nothing(reached)) sync_entries(reached.parent_path());
    std::error_code unseen;
    if (refused != EEXIST && !std::filesystem::is_directory(reached, unseen)) {
      throw system_error(
          refused, reached.string(), "cannot be created",
          "name a directory of your own: XDG_RUNTIME_DIR, XDG_STATE_HOME, or the options "
          "--runtime-dir and --state-dir of ringwayd");
    }
  }
}

}  // namespace ringway::control
