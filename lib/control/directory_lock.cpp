#include "control/directory_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "control/directories.hpp"
#include "control/flock_holder.hpp"
#include "ringway/error.hpp"

namespace ringway::control {
namespace {

/// The directories that this process has locked, by their canonical paths.
struct Registry {
  std::mutex mutex;
  std::set<std::string> directories;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

/// The program's name; who may not be looked at is a process.
std::string name_of(pid_t pid) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), name);
  return name.empty() ? "a process" : name;
}

/// Takes the lock or says who has it.
shm::Descriptor lock_file(const std::string& directory) {
  const std::string path = directory + "/lock";
  shm::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) {
    const int error = errno;
    const std::string limit = fix_of(error);
    throw system_error(error, path, "cannot be opened",
                       limit.empty() ? directory_advice(error, directory) : limit);
  }
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  for (;;) {
    struct flock wanted = whole;
    if (::fcntl(file.get(), F_SETLK, &wanted) == 0) return file;
    if (errno != EAGAIN && errno != EACCES) throw system_error(errno, path, "cannot be locked");
    wanted = whole;
    if (::fcntl(file.get(), F_GETLK, &wanted) != 0)
      throw system_error(errno, path, "F_GETLK failed");
    // Unlocked in between: try again.
    if (wanted.l_type != F_UNLCK) throw DirectoryInUse(directory, wanted.l_pid);
  }
}

/// Once the file is locked. None where that says nothing: anybody might have locked it.
/// @throws DirectoryInUse where somebody else has, whose file was removed.
shm::Descriptor lock_directory(const std::string& path) {
  shm::Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!directory || ::fstat(directory.get(), &status) != 0) {
    const int error = errno;
    throw system_error(error, path, "cannot be locked");
  }
  if ((status.st_mode & S_IROTH) != 0) return {};
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) == 0) return directory;
  // Other errors are of file systems that have no such locks.
  const pid_t holder = errno == EWOULDBLOCK ? flock_holder(path) : 0;
  if (holder != 0) throw DirectoryInUse(path, holder);
  return {};
}

}  // namespace

DirectoryInUse::DirectoryInUse(const std::string& directory, pid_t holder)
    : DirectoryInUse(directory, holder, name_of(holder)) {}

DirectoryInUse::DirectoryInUse(const std::string& directory, pid_t holder, std::string program)
    : Error(ErrorCode::busy, directory,
            fmt::format("is in use by {} with pid {}", program, holder),
            fmt::format("end that one (kill {}; systemctl stop, of a service), or use another "
                        "directory",
                        holder)),
      holder_(holder),
      program_(std::move(program)) {}

DirectoryLock::DirectoryLock(const std::string& directory) : owner_(::getpid()) {
  std::error_code error;
  const std::string canonical = std::filesystem::canonical(directory, error);
  if (error) throw system_error(error.value(), directory, "cannot be locked");
  const std::lock_guard guard(registry().mutex);
  // Before the file is touched: closing a second descriptor of it would release the first's lock.
  if (registry().directories.contains(canonical)) throw DirectoryInUse(canonical, ::getpid());
  file_ = lock_file(canonical);
  directory_ = lock_directory(canonical);
  registry().directories.insert(canonical);
  registered_ = canonical;
}

pid_t lock_holder(const std::string& directory) noexcept {
  const std::string path = directory + "/lock";
  const shm::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool locked =
      file && ::fcntl(file.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  return locked ? lock.l_pid : flock_holder(directory);
}

DirectoryLock::~DirectoryLock() {
  if (!file_) return;
  const std::lock_guard guard(registry().mutex);
  if (directory_ && owner_ == ::getpid()) ::flock(directory_.get(), LOCK_UN);
  directory_.reset();
  file_.reset();
  registry().directories.erase(registered_);
}

}  // namespace ringway::control
