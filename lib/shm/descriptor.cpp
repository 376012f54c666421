#include "shm/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "ringway/error.hpp"

namespace ringway::shm {
namespace {

Error refused(int error_number, int fd, const char* attempted) {
  return system_error(error_number, fmt::format("descriptor {}", fd), attempted);
}

}  // namespace

void Descriptor::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Descriptor duplicate(int fd) {
  Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw refused(errno, fd, "cannot be duplicated");
  return copy;
}

Descriptor reopen_read_only(int fd) {
  Descriptor reopened(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reopened) throw refused(errno, fd, "cannot be opened read-only through /proc/self/fd");
  return reopened;
}

void occupy_closed_standard_descriptors() noexcept {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is `fd`. Kept over exec: a child is no better off without. Opened as
    // a path there is nothing to read or write, and "/" exists where /dev/null may not.
    if (::open("/", O_PATH) != fd) std::abort();
  }
}

}  // namespace ringway::shm
