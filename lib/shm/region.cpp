#include "shm/region.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <boost/interprocess/exceptions.hpp>
#include <cerrno>

#include "ringway/error.hpp"

namespace ringway::shm {
namespace {

namespace ipc = boost::interprocess;

/// What mapped_region asks of whatever it maps.
class Mappable {
 public:
  explicit Mappable(int fd) noexcept : handle_{fd, false} {}
  ipc::mapping_handle_t get_mapping_handle() const noexcept { return handle_; }

 private:
  ipc::mapping_handle_t handle_;
};

Error map_refused(int error_number, std::uint64_t bytes) {
  return system_error(error_number, "shared memory",
                      fmt::format("{} bytes cannot be mapped", bytes),
                      error_number == ENOMEM ? "the limit of mappings (sysctl vm.max_map_count) or "
                                               "of address space (ulimit -v) may be reached"
                                             : "");
}

ipc::mapped_region map(int fd, Access access, std::uint64_t offset, std::uint64_t bytes,
                       void* fixed = nullptr) {
  // mapped_region takes 0 for "all there is".
  if (bytes == 0) throw Error(ErrorCode::usage, "shared memory", "0 bytes cannot be mapped", "");
  try {
    const auto mode = access == Access::read_only ? ipc::read_only : ipc::read_write;
    const auto options = fixed == nullptr ? ipc::default_map_options : MAP_FIXED;
    ipc::mapped_region region(Mappable(fd), mode, static_cast<ipc::offset_t>(offset), bytes, fixed,
                              static_cast<ipc::map_options_t>(options));
    if (::madvise(region.get_address(), bytes, MADV_DONTFORK) != 0) {
      throw map_refused(errno, bytes);
    }
    return region;
  } catch (const ipc::interprocess_exception& refused) {
    throw map_refused(refused.get_native_error(), bytes);
  }
}

/// Address space that is held until both halves of a mirror lie in it.
class Reservation {
 public:
  explicit Reservation(std::uint64_t bytes)
      : bytes_(bytes),
        address_(
            ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (address_ == MAP_FAILED) throw map_refused(errno, bytes);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (bytes_ != 0) ::munmap(address_, bytes_);
  }

  std::byte* address() const noexcept { return static_cast<std::byte*>(address_); }
  /// The first `bytes` now belong to whoever mapped over them.
  void give_up(std::uint64_t bytes) noexcept {
    address_ = address() + bytes;
    bytes_ -= bytes;
  }

 private:
  std::uint64_t bytes_;
  void* address_;
};

}  // namespace

Region::Region(int fd, Access access, std::uint64_t offset, std::uint64_t bytes)
    : mapped_(map(fd, access, offset, bytes)) {}

void* Region::checked(std::uint64_t offset, std::uint64_t count, std::uint64_t size,
                      std::uint64_t alignment, bool constant) const {
  const std::uint64_t mapped = bytes();
  if (offset > mapped || count > (mapped - offset) / size) {
    throw Error(ErrorCode::incompatible, "shared memory",
                fmt::format("{} objects of {} bytes at {} end outside its {} bytes", count, size,
                            offset, mapped),
                "");
  }
  if (offset % alignment != 0) {
    throw Error(ErrorCode::incompatible, "shared memory",
                fmt::format("offset {} is not a multiple of {}", offset, alignment), "");
  }
  if (!constant && mapped_.get_mode() != ipc::read_write) {
    throw Error(ErrorCode::usage, "shared memory", "is mapped read-only", "ask for const objects");
  }
  return static_cast<std::byte*>(mapped_.get_address()) + offset;
}

DataArea::DataArea(int fd, Access access, std::uint64_t offset, std::uint64_t ring_bytes,
                   Wrap wrap) {
  if (wrap == Wrap::single) {
    first_ = map(fd, access, offset, ring_bytes);
    return;
  }
  Reservation reserved(2 * ring_bytes);
  std::byte* const base = reserved.address();
  first_ = map(fd, access, offset, ring_bytes, base);
  reserved.give_up(ring_bytes);
  second_ = map(fd, access, offset, ring_bytes, base + ring_bytes);
  reserved.give_up(ring_bytes);
}

void DataArea::populate() const noexcept {
  // By reading, many at a time: they can be written then, too. Before Linux 5.14, none.
  static_cast<void>(::madvise(first_.get_address(), first_.get_size(), MADV_POPULATE_READ));
}

}  // namespace ringway::shm
