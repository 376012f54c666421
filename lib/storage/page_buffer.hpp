#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>

namespace ringway::storage {

inline constexpr std::uint64_t kPageBytes = 4096;

/// Zeroed memory at a page boundary, as direct writes need it. Move-only.
class PageBuffer {
 public:
  PageBuffer() noexcept = default;
  explicit PageBuffer(std::size_t bytes)
      : memory_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kPageBytes}))),
        bytes_(bytes) {
    std::memset(memory_.get(), 0, bytes);
  }

  std::byte* data() const noexcept { return memory_.get(); }
  std::size_t size() const noexcept { return bytes_; }
  std::span<std::byte> span() const noexcept { return {data(), bytes_}; }

 private:
  struct Release {
    void operator()(std::byte* memory) const noexcept {
      ::operator delete(memory, std::align_val_t{kPageBytes});
    }
  };
  std::unique_ptr<std::byte, Release> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace ringway::storage
