#pragma once

#include <utility>

namespace ringway::shm {

/// Sole owner of a file descriptor, closed on destruction; always close-on-exec. Move-only; -1 is
/// empty.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// Another descriptor of the same open file.
/// @throws Error when the process has no descriptor left, naming the limit.
Descriptor duplicate(int fd);

/// The same file opened anew through /proc/self/fd, read-only: unlike a duplicate it can never be
/// mapped writable, whoever it is passed to.
/// @throws Error when the file cannot be opened.
Descriptor reopen_read_only(int fd);

/// First thing in a program: which of the descriptors 0 to 2 it was started without are occupied by
/// what can neither be read nor written (EBADF), so that no socket or file opened later becomes its
/// standard output.
void occupy_closed_standard_descriptors() noexcept;

}  // namespace ringway::shm
