#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ringway::storage {

enum class OpenMode : unsigned char {
  read,
  write,          ///< existing file, through the page cache
  write_direct,   ///< existing file, past the page cache (O_DIRECT)
  create,         ///< made if missing, never truncated
  create_direct,  ///< the same, past the page cache
};

/// Every blocking file system call of the log goes through here, so that a test can fail the n-th
/// call of a kind or forget what was not synced. Results follow the kernel's convention: 0 or a
/// value, or a negative errno. Implementations are safe to use from several threads.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// A descriptor. A file system that cannot do O_DIRECT answers the direct modes with -EINVAL.
  /// What is no regular file is not there (-ENOENT), as for list(), and holds up nobody.
  virtual int open(const std::string& path, OpenMode mode) noexcept = 0;
  virtual void close(int descriptor) noexcept = 0;
  /// Whether writes go past the page cache; a file system may have refused that after the open.
  virtual bool is_direct(int descriptor) noexcept = 0;

  /// Bytes read; fewer than asked for only at the end of the file.
  virtual std::int64_t read(int descriptor, std::span<std::byte> into,
                            std::uint64_t file_pos) noexcept = 0;
  /// All of it or an error.
  virtual int write(int descriptor, std::span<const std::byte> bytes,
                    std::uint64_t file_pos) noexcept = 0;
  virtual int sync(int descriptor) noexcept = 0;  ///< fdatasync
  virtual std::int64_t size(int descriptor) noexcept = 0;
  /// Backs the first `bytes` of the file with disk space and makes it at least that long.
  virtual int reserve(int descriptor, std::uint64_t bytes) noexcept = 0;
  virtual int truncate(int descriptor, std::uint64_t bytes) noexcept = 0;

  /// A second name for the file: -EPERM or -EOPNOTSUPP where there is no such thing.
  virtual int link(const std::string& from, const std::string& to) noexcept = 0;
  virtual int rename(const std::string& from, const std::string& to) noexcept = 0;
  virtual int remove(const std::string& path) noexcept = 0;
  virtual int sync_directory(const std::string& path) noexcept = 0;
  /// Makes the directory and what is missing above it, durably. A directory that is there and empty
  /// is made durable, too: whoever made it may have died first.
  virtual int make_directories(const std::string& path) noexcept = 0;
  /// Makes `count` directories "0", "1", … in `parent`, so that make_directories() of each, which
  /// is to follow, finds them, and needs one sync for all. What fails here fails there, too.
  virtual void make_ahead(const std::string& parent, std::uint32_t count) noexcept {
    static_cast<void>(parent), static_cast<void>(count);
  }
  /// Names of the directory's regular files, in no order.
  virtual int list(const std::string& path, std::vector<std::string>& names) noexcept = 0;
};

/// An open file; closes itself. Move-only. The file system must outlive it.
class File {
 public:
  File() noexcept = default;
  File(FileSystem& file_system, int descriptor) noexcept
      : file_system_(&file_system), descriptor_(descriptor) {}
  File(File&& other) noexcept
      : file_system_(other.file_system_), descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(file_system_, other.file_system_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File() { close(); }

  void close() noexcept {
    if (descriptor_ >= 0) file_system_->close(std::exchange(descriptor_, -1));
  }
  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  FileSystem* file_system_ = nullptr;
  int descriptor_ = -1;
};

}  // namespace ringway::storage
