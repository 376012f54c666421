#pragma once

#include <mutex>
#include <string>

#include "storage/file_system.hpp"

namespace ringway::storage {

/// The real one. Descriptors are the kernel's own.
class PosixFileSystem : public FileSystem {
 public:
  int open(const std::string& path, OpenMode mode) noexcept override;
  void close(int descriptor) noexcept override;
  bool is_direct(int descriptor) noexcept override;
  std::int64_t read(int descriptor, std::span<std::byte> into,
                    std::uint64_t file_pos) noexcept override;
  int write(int descriptor, std::span<const std::byte> bytes,
            std::uint64_t file_pos) noexcept override;
  int sync(int descriptor) noexcept override;
  std::int64_t size(int descriptor) noexcept override;
  int reserve(int descriptor, std::uint64_t bytes) noexcept override;
  int truncate(int descriptor, std::uint64_t bytes) noexcept override;
  int link(const std::string& from, const std::string& to) noexcept override;
  int rename(const std::string& from, const std::string& to) noexcept override;
  int remove(const std::string& path) noexcept override;
  int sync_directory(const std::string& path) noexcept override;
  int make_directories(const std::string& path) noexcept override;
  void make_ahead(const std::string& parent, std::uint32_t count) noexcept override;
  int list(const std::string& path, std::vector<std::string>& names) noexcept override;

 private:
  int make_and_sync(const std::string& path) noexcept;

  std::mutex making_;           // directories: what is there is durable, to whoever may look
  std::string all_durable_in_;  // the last one whose directories were found durable, or made so
};

/// A descriptor, or a negative errno. What is no regular file is not there (-ENOENT): to open a
/// FIFO is to wait for its other end. Whoever may write in the directory can put one there between
/// the look and the open, and is trusted. (O_NONBLOCK would be refused where a file has a lease.)
int open_file(const char* path, int flags) noexcept;

/// Whether the kernel reads on by itself behind what is read. A hint.
enum class ReadAhead : unsigned char { as_usual, none };
void choose_read_ahead(int descriptor, ReadAhead read_ahead) noexcept;

/// Takes O_DIRECT from a descriptor that has it. True when it was there: the write may be repeated.
bool drop_direct(int descriptor) noexcept;

}  // namespace ringway::storage
