#pragma once

#include <cstddef>

namespace ringway::cli {

/// Zeroed memory that a process and the children it forks afterwards share, gone with the last of
/// them: the same pages of the same file system that a memory file has. Owned by the process that
/// made it; a child only uses it.
class SharedPages {
 public:
  /// At least one byte, rounded up to whole pages. Throws Error.
  explicit SharedPages(std::size_t bytes);
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;
  ~SharedPages();

  /// Gives the calling process all pages, ready to be written: each process that uses them calls it
  /// before it is timed. Throws Error when there is not enough memory.
  void populate() const;

  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_;
  std::byte* data_;
};

}  // namespace ringway::cli
