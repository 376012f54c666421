#include "tools/bench/shared_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <ringway/error.hpp>

#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

SharedPages::SharedPages(std::size_t bytes) : bytes_(whole_pages(bytes)) {
  void* place = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) {
    throw system_error(errno, format_size(bytes_) + " of shared memory", "mmap");
  }
  data_ = static_cast<std::byte*>(place);
}

SharedPages::~SharedPages() {
  ::munmap(data_, bytes_);
}

void SharedPages::populate() const {
  if (::madvise(data_, bytes_, MADV_POPULATE_WRITE) != 0) {
    throw system_error(errno, format_size(bytes_) + " of shared memory", "populating it",
                       "take a smaller --ring");
  }
}

}  // namespace ringway::cli
