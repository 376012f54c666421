#include "control/directories.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::control {
namespace {

namespace fs = std::filesystem;

/// The directories that were made, which go again, unless they may stay.
class Made {
 public:
  Made() = default;
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made() {
    // One with something in it is somebody else's by now, too.
    for (auto last = paths_.rbegin(); last != paths_.rend(); ++last) ::rmdir(last->c_str());
  }

  void add(fs::path path) { paths_.push_back(std::move(path)); }
  void keep() noexcept { paths_.clear(); }

 private:
  std::vector<fs::path> paths_;
};

void make(const std::string& path, mode_t mode, Made& made) {
  fs::path reached;
  for (const auto& component : fs::absolute(path)) {
    reached /= component;
    if (::mkdir(reached.c_str(), mode) == 0) {
      made.add(reached);
      ::chmod(reached.c_str(), mode);  // whatever the umask took away
      continue;
    }
    const int refused = errno;
    std::error_code unseen;
    if (refused != EEXIST && !fs::is_directory(reached, unseen)) {
      throw system_error(refused, reached.string(), "cannot be created",
                         directory_advice(refused, path));
    }
  }
}

Error not_durable(int error_number, const fs::path& directory) {
  std::string advice = fix_of(error_number);
  if (advice.empty()) {
    advice =
        "a loss of power could take what lies in it: mend its disk, or name a state directory "
        "elsewhere (XDG_STATE_HOME, --state-dir of ringwayd)";
  }
  return system_error(error_number, directory.string(), "cannot be synced", advice);
}

shm::Descriptor open_directory(const fs::path& path) {
  return shm::Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// `sync` is a call for one descriptor. A file system that has none answers EINVAL or ENOTSUP.
void sync_with(int (*sync)(int), const fs::path& directory, const shm::Descriptor& opened) {
  while (sync(opened.get()) != 0) {
    if (errno == EINVAL || errno == ENOTSUP) return;
    if (errno != EINTR) throw not_durable(errno, directory);
  }
}

dev_t device_of(const fs::path& directory) {
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) throw not_durable(errno, directory);
  return status.st_dev;
}

/// What names `path` on its file system outlives a loss of power then.
void sync_way_to(const fs::path& path) {
  const dev_t device = device_of(path);
  for (fs::path at = path; at.has_relative_path(); at = at.parent_path()) {
    const fs::path parent = at.parent_path();
    if (device_of(parent) != device) return;  // `at` is mounted there
    const shm::Descriptor directory = open_directory(parent);
    if (directory) {
      sync_with(::fsync, parent, directory);
      continue;
    }
    if (errno != EACCES && errno != EPERM) throw not_durable(errno, parent);
    // We may go through it, and perhaps make something in it, but not open it: all or nothing.
    const shm::Descriptor any = open_directory(path);
    if (!any) throw not_durable(errno, path);
    return sync_with(::syncfs, path, any);
  }
}

}  // namespace

std::string directory_advice(int error_number, const std::string& directory) {
  if (error_number != EROFS) return kDirectoryAdvice;
  return fmt::format(
      "of a service: make it, owned by the service's user, and let the unit write there, by "
      "ReadWritePaths={} below [Service] in a drop-in (systemctl edit); else {}",
      directory, kDirectoryAdvice);
}

void create_directories(const std::string& path, mode_t mode) {
  Made made;
  make(path, mode, made);
  made.keep();
}

void create_durable_directories(const std::string& path, mode_t mode) {
  Made made;
  make(path, mode, made);
  std::error_code refused;
  const fs::path canonical = fs::canonical(path, refused);
  if (refused) throw not_durable(refused.value(), path);
  sync_way_to(canonical);
  made.keep();
}

void sync_directory(const std::string& path) {
  const shm::Descriptor directory = open_directory(path);
  if (!directory) throw not_durable(errno, path);
  sync_with(::fsync, path, directory);
}

}  // namespace ringway::control
