#include "storage/pwrite_engine.hpp"

#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ringway/error.hpp"
#include "storage/posix_file_system.hpp"

namespace ringway::storage {
namespace {

constexpr std::size_t kVectorsMax = 16;

/// Writes the vectors, which lie one behind the other in the file.
int write_run(int descriptor, std::span<iovec> run, std::uint64_t file_pos) noexcept {
  while (!run.empty()) {
    const ssize_t put = ::pwritev(descriptor, run.data(), static_cast<int>(run.size()),
                                  static_cast<off_t>(file_pos));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EINVAL && drop_direct(descriptor)) continue;
    if (put < 0) return -errno;
    if (put == 0) return -EIO;
    file_pos += static_cast<std::uint64_t>(put);
    auto left = static_cast<std::size_t>(put);
    while (!run.empty() && left >= run.front().iov_len) {
      left -= run.front().iov_len;
      run = run.subspan(1);
    }
    if (left > 0) {
      run.front().iov_base = static_cast<std::byte*>(run.front().iov_base) + left;
      run.front().iov_len -= left;
    }
  }
  return 0;
}

}  // namespace

PwriteEngine::PwriteEngine() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) throw system_error(errno, "log writer", "eventfd");
}

PwriteEngine::~PwriteEngine() {
  ::close(event_);
}

void PwriteEngine::submit_writes(int descriptor, std::span<const WritePiece> pieces,
                                 std::uint64_t token) noexcept {
  int result = 0;
  while (!pieces.empty() && result == 0) {
    std::array<iovec, kVectorsMax> run;
    const std::uint64_t file_pos = pieces.front().file_pos;
    std::uint64_t end = file_pos;
    std::size_t count = 0;
    while (count < std::min(pieces.size(), run.size()) && pieces[count].file_pos == end) {
      run[count] = {const_cast<std::byte*>(pieces[count].memory), pieces[count].bytes};
      end += pieces[count].bytes;
      ++count;
    }
    result = write_run(descriptor, std::span(run).first(count), file_pos);
    pieces = pieces.subspan(count);
  }
  finish(token, result);
}

void PwriteEngine::submit_sync(int descriptor, std::uint64_t token) noexcept {
  finish(token, ::fdatasync(descriptor) < 0 ? -errno : 0);
}

void PwriteEngine::submit_synced_writes(int descriptor, std::span<const WritePiece> pieces,
                                        std::uint64_t token, std::uint64_t sync_token) noexcept {
  submit_writes(descriptor, pieces, token);
  if (done_.back().result < 0) return finish(sync_token, -ECANCELED);
  submit_sync(descriptor, sync_token);
}

void PwriteEngine::finish(std::uint64_t token, int result) noexcept {
  done_.push_back({token, result});
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t signalled = ::write(event_, &one, sizeof one);
}

std::size_t PwriteEngine::reap(std::span<Completion> out, std::chrono::nanoseconds) noexcept {
  const std::size_t count = std::min(out.size(), done_.size());
  std::copy_n(done_.begin(), count, out.begin());
  done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(count));
  if (done_.empty()) {
    std::uint64_t events = 0;
    [[maybe_unused]] const ssize_t cleared = ::read(event_, &events, sizeof events);
  }
  return count;
}

}  // namespace ringway::storage
