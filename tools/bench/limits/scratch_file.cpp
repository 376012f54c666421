#include "tools/bench/limits/scratch_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ringway/error.hpp>
#include <system_error>
#include <vector>

#include "tools/quantity.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kPiece = 1 << 20;

void write_whole(int fd, std::uint64_t bytes) {
  const std::vector<char> piece(kPiece, 'w');
  for (std::uint64_t at = 0; at < bytes;) {
    check_interrupted();
    const ssize_t put = ::pwrite(fd, piece.data(), std::min<std::uint64_t>(kPiece, bytes - at),
                                 static_cast<off_t>(at));
    if (put < 0 && errno != EINTR) throw system_error(errno, "scratch file", "pwrite");
    if (put > 0) at += static_cast<std::uint64_t>(put);
  }
}

}  // namespace

std::string name_of(BlockState state) {
  return state == BlockState::reserved ? "reserved" : "written";
}

ScratchFile::ScratchFile(const std::filesystem::path& place, std::uint64_t bytes, BlockState state)
    : bytes_(bytes) {
  std::string name = place / "ringway-scratch-XXXXXX";
  fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) {
    throw system_error(errno, place, "making a scratch file",
                       "set TMPDIR to a directory that can be written to");
  }
  ::unlink(name.c_str());
  try {
    if (const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes)); error != 0) {
      throw system_error(error, place, "reserving " + format_size(bytes),
                         "make room, or set TMPDIR to another disk");
    }
    if (state == BlockState::written) write_whole(fd_, bytes);
    if (::fsync(fd_) != 0) throw system_error(errno, place, "fsync");
  } catch (...) {
    ::close(fd_);
    throw;
  }
  // What was written through the page cache would be in the way of what is written past it.
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  direct_fd_ = ::open(fmt::format("/proc/self/fd/{}", fd_).c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
}

ScratchFile::~ScratchFile() {
  if (direct_fd_ >= 0) ::close(direct_fd_);
  ::close(fd_);
}

std::string why_no_direct_writes(const std::filesystem::path& place) {
  if (ScratchFile(place, 4096, BlockState::reserved).direct_fd() < 0) {
    return fmt::format("the file system of {} refuses O_DIRECT", place.string());
  }
  io_uring ring{};
  if (const int result = io_uring_queue_init(1, &ring, 0); result < 0) {
    return "io_uring cannot be used: " + std::generic_category().message(-result);
  }
  io_uring_queue_exit(&ring);
  return {};
}

void settle(const std::filesystem::path& place) {
  const int fd = ::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw system_error(errno, place, "open");
  const int result = ::syncfs(fd);
  const int error = errno;
  ::close(fd);
  if (result != 0) throw system_error(error, place, "syncfs");
}

}  // namespace ringway::cli
