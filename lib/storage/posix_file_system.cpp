#include "storage/posix_file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>

namespace ringway::storage {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

int result_of(int returned) noexcept {
  return returned < 0 ? -errno : 0;
}

int open_flags(OpenMode mode) noexcept {
  switch (mode) {
    case OpenMode::read:
      return O_RDONLY;
    case OpenMode::write:
      return O_RDWR;
    case OpenMode::write_direct:
      return O_RDWR | O_DIRECT;
    case OpenMode::create:
      return O_RDWR | O_CREAT;
    case OpenMode::create_direct:
      return O_RDWR | O_CREAT | O_DIRECT;
  }
  return O_RDONLY;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Whether there is such a directory with something in it, or one that is not for us to look into.
/// Or a negative errno.
int holds_something(const std::string& path) noexcept {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) {
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    return errno == EACCES ? 1 : -errno;
  }
  int names = 0;
  while (names <= 2 && ::readdir(directory) != nullptr) ++names;
  ::closedir(directory);
  return names > 2 ? 1 : 0;  // more than "." and ".."
}

}  // namespace

int PosixFileSystem::open(const std::string& path, OpenMode mode) noexcept {
  const int descriptor = open_file(path.c_str(), open_flags(mode));
  if (descriptor < 0) return descriptor;
  // Whoever reads asks for blocks, here and there. The kernel would read on behind each, and a
  // segment is mostly space reserved: pages to be cleared, for nothing.
  if (mode == OpenMode::read) choose_read_ahead(descriptor, ReadAhead::none);
  return descriptor;
}

void PosixFileSystem::close(int descriptor) noexcept {
  ::close(descriptor);
}

bool PosixFileSystem::is_direct(int descriptor) noexcept {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0;
}

std::int64_t PosixFileSystem::read(int descriptor, std::span<std::byte> into,
                                   std::uint64_t file_pos) noexcept {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(descriptor, into.data() + done, into.size() - done,
                                static_cast<off_t>(file_pos + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<std::int64_t>(done);
}

int PosixFileSystem::write(int descriptor, std::span<const std::byte> bytes,
                           std::uint64_t file_pos) noexcept {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::pwrite(descriptor, bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(file_pos + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EINVAL && drop_direct(descriptor)) continue;
    if (put < 0) return -errno;
    if (put == 0) return -EIO;
    done += static_cast<std::size_t>(put);
  }
  return 0;
}

int PosixFileSystem::sync(int descriptor) noexcept {
  return result_of(::fdatasync(descriptor));
}

std::int64_t PosixFileSystem::size(int descriptor) noexcept {
  struct stat status{};
  return ::fstat(descriptor, &status) < 0 ? -errno : status.st_size;
}

int PosixFileSystem::reserve(int descriptor, std::uint64_t bytes) noexcept {
  int error = 0;
  do {
    error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  return -error;
}

int PosixFileSystem::truncate(int descriptor, std::uint64_t bytes) noexcept {
  return result_of(::ftruncate(descriptor, static_cast<off_t>(bytes)));
}

int PosixFileSystem::link(const std::string& from, const std::string& to) noexcept {
  return result_of(::link(from.c_str(), to.c_str()));
}

int PosixFileSystem::rename(const std::string& from, const std::string& to) noexcept {
  return result_of(::rename(from.c_str(), to.c_str()));
}

int PosixFileSystem::remove(const std::string& path) noexcept {
  return result_of(::unlink(path.c_str()));
}

int PosixFileSystem::sync_directory(const std::string& path) noexcept {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  const int result = result_of(::fsync(descriptor));
  ::close(descriptor);
  return result;
}

int PosixFileSystem::make_directories(const std::string& path) noexcept {
  const std::lock_guard lock(making_);
  return make_and_sync(path);
}

void PosixFileSystem::make_ahead(const std::string& parent, std::uint32_t count) noexcept {
  const std::lock_guard lock(making_);
  if (make_and_sync(parent) < 0) return;
  if (all_durable_in_ == parent) all_durable_in_ = "";
  for (std::uint32_t i = 0; i < count; ++i) {
    ::mkdir((parent + "/" + std::to_string(i)).c_str(), kDirectoryMode);
  }
}

/// Nothing is put into a directory before it is durable, so that one with something in it is
/// (control::create_durable_directories makes the state directory so). An empty one may be left by
/// somebody who died before he had synced it.
int PosixFileSystem::make_and_sync(const std::string& path) noexcept {
  if (const int holds = holds_something(path); holds != 0) return std::min(holds, 0);
  const std::string parent = parent_of(path);
  if (parent == path) return 0;
  const bool known = parent == all_durable_in_;  // and so is durable itself
  if (!known) {
    if (const int result = make_and_sync(parent); result < 0) return result;
  }
  const bool found = ::mkdir(path.c_str(), kDirectoryMode) < 0;
  if (found && errno == ENOENT && known) {  // it was removed since
    all_durable_in_ = "";
    return make_and_sync(path);
  }
  if (found && errno != EEXIST) return -errno;
  if (found && parent == all_durable_in_) return 0;
  const int synced = sync_directory(parent);
  all_durable_in_ = synced < 0 ? "" : parent;
  // Whoever finds it may put something into it: the next one is to make it again.
  if (synced < 0) ::rmdir(path.c_str());
  return synced;
}

int PosixFileSystem::list(const std::string& path, std::vector<std::string>& names) noexcept {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return -errno;
  int result = 0;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr) {
      result = -errno;
      break;
    }
    struct stat status{};
    if (::fstatat(::dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(status.st_mode)) {
      names.emplace_back(entry->d_name);
    }
  }
  ::closedir(directory);
  return result;
}

int open_file(const char* path, int flags) noexcept {
  struct stat status{};
  if (::stat(path, &status) == 0 && !S_ISREG(status.st_mode)) return -ENOENT;
  const int descriptor = ::open(path, flags | O_CLOEXEC, kFileMode);
  return descriptor < 0 ? -errno : descriptor;
}

void choose_read_ahead(int descriptor, ReadAhead read_ahead) noexcept {
  const int advice = read_ahead == ReadAhead::none ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL;
  ::posix_fadvise(descriptor, 0, 0, advice);
}

bool drop_direct(int descriptor) noexcept {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0 &&
         ::fcntl(descriptor, F_SETFL, flags & ~O_DIRECT) == 0;
}

}  // namespace ringway::storage
