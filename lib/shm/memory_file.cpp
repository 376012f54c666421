#include "shm/memory_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "ringway/error.hpp"
#include "shm/memory_budget.hpp"

namespace ringway::shm {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/// For people: quantities as they write them are known above this layer.
std::string shown(std::uint64_t bytes) {
  constexpr double kMiB = 1024.0 * 1024;
  const double mebibytes = static_cast<double>(bytes) / kMiB;
  return mebibytes < 1024 ? fmt::format("{:.1f} MiB", mebibytes)
                          : fmt::format("{:.1f} GiB", mebibytes / 1024);
}

Error short_of_memory(int error_number, const std::string& name, std::uint64_t bytes) {
  if (error_number == ENOSPC || error_number == ENOMEM) {
    return Error(ErrorCode::limit, name,
                 fmt::format("{} of shared memory cannot be reserved: the machine's or the "
                             "memory cgroup's limit (MemoryMax=) is reached",
                             shown(bytes)),
                 "make rings smaller, delete topics, or raise the limit");
  }
  return system_error(error_number, name,
                      fmt::format("{} of shared memory cannot be reserved", shown(bytes)));
}

/// The kernel does not refuse memory it does not have: it kills processes for it, maybe others'
/// than ours. So what is not there, with a margin, is not asked for.
void check_budget(const std::string& name, std::uint64_t bytes, std::uint64_t promised_bytes) {
  const MemoryBudget budget = memory_budget();
  std::uint64_t offered = budget.available_bytes - budget.available_bytes / 16;
  offered -= std::min(offered, promised_bytes);
  if (bytes <= offered) return;
  throw Error(ErrorCode::limit, name,
              fmt::format("{} of shared memory cannot be reserved: {} leaves {}", shown(bytes),
                          budget.limited_by, shown(offered)),
              "make rings smaller, delete topics, or add memory");
}

/// Cleared in one go, in less than a millisecond.
constexpr std::uint64_t kStepBytes = 256 * 1024;

/// So that clearing pages costs no publisher time. Written, not touched in a mapping: what maps or
/// faults in this process meanwhile does not wait for it.
int clear(int fd, std::uint64_t begin, std::uint64_t end) {
  static std::array<std::byte, kStepBytes> zeros;  // not const, to take no place in the binary
  while (begin < end) {
    const ssize_t written = ::pwrite(fd, zeros.data(), end - begin, static_cast<off_t>(begin));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    begin += static_cast<std::uint64_t>(written);
  }
  return 0;
}

}  // namespace

MemoryFileInMaking::MemoryFileInMaking(std::string name, std::uint64_t bytes,
                                       std::uint64_t promised_bytes)
    : name_(std::move(name)), bytes_(bytes) {
  check_budget(name_, bytes, promised_bytes);
  file_.reset(::memfd_create(name_.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file_) {
    throw system_error(errno, name_, "no memory file can be made");
  }
  if (::fchmod(file_.get(), 0600) != 0) throw system_error(errno, name_, "fchmod failed");
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) {
    throw short_of_memory(errno, name_, bytes);
  }
}

void MemoryFileInMaking::step() {
  const std::uint64_t end = std::min(bytes_, made_bytes_ + kStepBytes);
  int refused = EINTR;
  while (refused == EINTR) {
    refused = ::posix_fallocate(file_.get(), static_cast<off_t>(made_bytes_),
                                static_cast<off_t>(end - made_bytes_));
  }
  if (refused == 0) refused = clear(file_.get(), made_bytes_, end);
  if (refused != 0) throw short_of_memory(refused, name_, bytes_);
  made_bytes_ = end;
  if (end == bytes_ && ::fcntl(file_.get(), F_ADD_SEALS, kSeals) != 0) {
    throw system_error(errno, name_, "cannot be sealed");
  }
}

Descriptor create_memory_file(const std::string& name, std::uint64_t bytes) {
  MemoryFileInMaking file(name, bytes, 0);
  while (file.missing_bytes() > 0) file.step();
  return file.take();
}

std::uint64_t verified_memory_bytes(int fd, const std::string& name) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  constexpr int kNeeded = F_SEAL_SHRINK | F_SEAL_GROW;
  if (seals < 0 || (seals & kNeeded) != kNeeded) {
    throw Error(ErrorCode::failed, name, "is not a memory file sealed against resizing",
                "do not trust the process that sent it");
  }
  struct stat status{};
  if (::fstat(fd, &status) != 0) throw system_error(errno, name, "fstat failed");
  return static_cast<std::uint64_t>(status.st_size);
}

void verify_memory_file(int fd, const std::string& name, std::uint64_t bytes) {
  const std::uint64_t found = verified_memory_bytes(fd, name);
  if (found != bytes) {
    throw Error(ErrorCode::incompatible, name,
                fmt::format("is {} bytes long where {} were expected", found, bytes),
                "use the same version of Ringway on both sides");
  }
}

}  // namespace ringway::shm
