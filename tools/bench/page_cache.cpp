#include "tools/bench/page_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <ringway/error.hpp>

namespace ringway::cli {
namespace {

void with_open(const std::filesystem::path& file, const std::function<void(int)>& use) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw system_error(errno, file, "open");
  try {
    use(fd);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

/// Of one file: one byte a page, its lowest bit says that it is there.
std::vector<unsigned char> look_at_pages(const std::filesystem::path& file, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((bytes + page - 1) / page);
  with_open(file, [&](int fd) {
    void* place = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (place == MAP_FAILED) throw system_error(errno, file, "mmap");
    const int result = ::mincore(place, bytes, pages.data());
    const int error = errno;
    ::munmap(place, bytes);
    if (result != 0) throw system_error(error, file, "mincore");
  });
  return pages;
}

}  // namespace

Files files_below(const std::filesystem::path& directory, const std::string& extension) {
  Files files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().extension() == extension) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::uint64_t bytes_of(const Files& files) {
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += std::filesystem::file_size(file);
  return bytes;
}

double resident_share(const Files& files) {
  std::size_t there = 0, all = 0;
  for (const auto& file : files) {
    const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(file));
    if (bytes == 0) continue;
    const std::vector<unsigned char> pages = look_at_pages(file, bytes);
    all += pages.size();
    there += static_cast<std::size_t>(
        std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
  }
  return all == 0 ? 1 : static_cast<double>(there) / static_cast<double>(all);
}

void forget(const Files& files) {
  for (const auto& file : files) {
    with_open(file, [&](int fd) {
      if (::fdatasync(fd) != 0) throw system_error(errno, file, "fdatasync");
      if (const int error = ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); error != 0) {
        throw system_error(error, file, "posix_fadvise");
      }
    });
  }
}

}  // namespace ringway::cli
