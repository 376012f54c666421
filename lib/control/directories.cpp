#include "control/directories.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "ringway/error.hpp"

namespace ringway::control {

void create_directories(const std::string& path, mode_t mode) {
  std::filesystem::path reached;
  for (const auto& component : std::filesystem::absolute(path)) {
    reached /= component;
    if (::mkdir(reached.c_str(), mode) == 0) {
      ::chmod(reached.c_str(), mode);  // whatever the umask took away
      continue;
    }
    const int refused = errno;
    std::error_code unseen;
    if (refused != EEXIST && !std::filesystem::is_directory(reached, unseen)) {
      throw system_error(refused, reached.string(), "cannot be created",
                         "name a directory of your own: XDG_RUNTIME_DIR, XDG_STATE_HOME, or the options "
                         "--runtime-dir and --state-dir of ringwayd");
    }
  }
}

}  // namespace ringway::control
