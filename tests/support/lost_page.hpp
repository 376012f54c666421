#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <stdexcept>

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

}  // namespace ringway::test
