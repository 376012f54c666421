#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace ringway::test {

inline constexpr std::size_t kPageBytes = 4096;

/// Puts pages there that fault with SIGBUS at every access, as a hole in a memory file does when
/// no memory is left to fill it.
inline void lose_pages_at(std::byte* address, std::size_t count) {
  const int file = ::memfd_create("lost", MFD_CLOEXEC);  // empty: everything lies behind its end

  void* const mapped =
      ::mmap(address, count * kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) throw std::runtime_error("mmap");
}

/// Such pages somewhere.
class LostPages {
 public:
  explicit LostPages(std::size_t count) : count_(count) {
    void* const pages =
        ::mmap(nullptr, count * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::runtime_error("mmap");
    pages_ = static_cast<std::byte*>(pages);
    lose_pages_at(pages_, count);
  }
  LostPages(const LostPages&) = delete;
  LostPages& operator=(const LostPages&) = delete;
  ~LostPages() { ::munmap(pages_, count_ * kPageBytes); }

  std::span<std::byte> all() const noexcept { return {pages_, count_ * kPageBytes}; }
  std::span<std::byte> page(std::size_t index) const noexcept {
    return all().subspan(index * kPageBytes, kPageBytes);
  }

 private:
  std::size_t count_;
  std::byte* pages_ = nullptr;
};

/// A mapping of Ringway memory in this process.
struct Mapping {
  std::byte* begin;
  std::byte* end;
  std::uint64_t offset;  ///< in the file
  std::uint64_t inode;
  bool writable;

  bool has(const void* address) const { return begin <= address && address < end; }
};

/// Of files of that kind: "ring", "bell", …
inline std::vector<Mapping> mappings_of(const std::string& kind) {
  std::vector<Mapping> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:ringway." + kind + ".") == std::string::npos) continue;
    std::istringstream words(line);
    std::string range, rights, offset, device;
    Mapping mapping{};
    words >> range >> rights >> offset >> device >> mapping.inode;
    std::size_t dash = 0;
    mapping.begin = reinterpret_cast<std::byte*>(std::stoull(range, &dash, 16));
    mapping.end = reinterpret_cast<std::byte*>(std::stoull(range.substr(dash + 1), nullptr, 16));
    mapping.offset = std::stoull(offset, nullptr, 16);
    mapping.writable = rights[1] == 'w';
    found.push_back(mapping);
  }
  return found;
}

/// The descriptor of this process that its file is open at, or -1.
inline int descriptor_of(const Mapping& mapping) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    struct stat status{};
    if (::fstat(fd, &status) == 0 && status.st_ino == mapping.inode) return fd;
  }
  return -1;
}

/// What a shortage of memory makes of the holes that are in rings by now: this process's mappings
/// cannot fill them. Returns how many pages that are.
inline std::size_t lose_holes_of_rings() {
  std::size_t pages = 0;
  for (const Mapping& mapping : mappings_of("ring")) {
    const int fd = descriptor_of(mapping);
    const auto mapped_end = static_cast<off_t>(mapping.offset) + (mapping.end - mapping.begin);
    for (auto at = static_cast<off_t>(mapping.offset); fd >= 0 && at < mapped_end;) {
      const off_t hole = ::lseek(fd, at, SEEK_HOLE);
      if (hole < 0 || hole >= mapped_end) break;
      const off_t data = ::lseek(fd, hole, SEEK_DATA);
      const off_t end = data < 0 ? mapped_end : std::min(data, mapped_end);
      const auto count = static_cast<std::size_t>(end - hole) / kPageBytes;
      lose_pages_at(mapping.begin + (hole - static_cast<off_t>(mapping.offset)), count);
      pages += count;
      at = end;
    }
  }
  return pages;
}

}  // namespace ringway::test
