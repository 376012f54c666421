#include "control/directories.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "ringway/error.hpp"

namespace ringway::control {

void create_directories(const std::string& path, mode_t mode) {
  std::filesystem::path reached;
  for (const auto& component : std::filesystem::absolute(path)) {
    reached /= component;
    if (::mkdir(reached.c_str(), mode) == 0) {
      ::chmod(reached.c_str(), mode);  // whatever the umask took away
    } else if (errno != EEXIST && !std::filesystem::is_directory(reached)) {
      throw system_error(errno, reached.string(), "cannot be created");
    }
  }
}

}  // namespace ringway::control
