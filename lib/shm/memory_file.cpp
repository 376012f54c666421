#include "shm/memory_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"
#include "shm/memory_budget.hpp"

namespace ringway::shm {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Error short_of_memory(int error_number, const std::string& name, std::uint64_t bytes) {
  if (error_number == ENOSPC || error_number == ENOMEM) {
    return Error(ErrorCode::limit, name,
                 fmt::format("{} bytes of shared memory cannot be reserved: the machine's or the "
                             "memory cgroup's limit (MemoryMax=) is reached",
                             bytes),
                 "make rings smaller, delete topics, or raise the limit");
  }
  return system_error(error_number, name,
                      fmt::format("{} bytes of shared memory cannot be reserved", bytes));
}

/// The kernel does not refuse memory it does not have: it kills processes for it, maybe others'
/// than ours. So what is not there, with a margin, is not asked for.
void check_budget(const std::string& name, std::uint64_t bytes) {
  const MemoryBudget budget = memory_budget();
  const std::uint64_t offered = budget.available_bytes - budget.available_bytes / 16;
  if (bytes <= offered) return;
  throw Error(ErrorCode::limit, name,
              fmt::format("{} bytes of shared memory cannot be reserved: {} leaves {}", bytes,
                          budget.limited_by, offered),
              "make rings smaller, delete topics, or add memory");
}

/// Touches every page through a short-lived mapping, so that clearing it costs no publisher time.
void populate(int fd, const std::string& name, std::uint64_t bytes) {
  void* mapping = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) {
    throw system_error(errno, name, fmt::format("{} bytes cannot be mapped", bytes),
                       "raise the limit of mappings (sysctl vm.max_map_count) or of address space "
                       "(ulimit -v)");
  }
  const int result = ::madvise(mapping, bytes, MADV_POPULATE_WRITE);
  const int error_number = errno;
  ::munmap(mapping, bytes);
  if (result != 0) throw short_of_memory(error_number, name, bytes);
}

}  // namespace

Descriptor create_memory_file(const std::string& name, std::uint64_t bytes) {
  check_budget(name, bytes);
  Descriptor file(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) {
    throw system_error(errno, name, "no memory file can be made", descriptor_advice(errno));
  }
  const auto size = static_cast<off_t>(bytes);
  if (::fchmod(file.get(), 0600) != 0) throw system_error(errno, name, "fchmod failed");
  if (::ftruncate(file.get(), size) != 0) throw short_of_memory(errno, name, bytes);
  int refused = EINTR;
  while (refused == EINTR) refused = ::posix_fallocate(file.get(), 0, size);
  if (refused != 0) throw short_of_memory(refused, name, bytes);
  populate(file.get(), name, bytes);
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) {
    throw system_error(errno, name, "cannot be sealed");
  }
  return file;
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
