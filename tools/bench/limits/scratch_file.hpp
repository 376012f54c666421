#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace ringway::cli {

/// What a file's blocks are like before a limit writes to them.
enum class BlockState : std::uint8_t {
  reserved,  ///< allocated, and never written: a new segment of the log
  written,   ///< written before, as in a recycled segment
};
std::string name_of(BlockState state);

/// A file without a name in `place`, gone with the last process that has it open, however that
/// ends. Owned by the process that made it; children that are forked afterwards share it.
class ScratchFile {
 public:
  /// Of `bytes`, in that state and synced; written ones hold nothing of interest. Throws Error when
  /// there is no room.
  ScratchFile(const std::filesystem::path& place, std::uint64_t bytes, BlockState state);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  int fd() const noexcept { return fd_; }
  /// The same with O_DIRECT, or -1 where the file system refuses that.
  int direct_fd() const noexcept { return direct_fd_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::uint64_t bytes_;
  int fd_ = -1;
  int direct_fd_ = -1;
};

/// Why nothing can be written directly from memory in `place`, with depth; "" where it can be. "the
/// file system of /x refuses O_DIRECT"
std::string why_no_direct_writes(const std::filesystem::path& place);

/// Brings everything of the file system of `place` to its device: what was deleted before a
/// measurement costs nothing within it.
void settle(const std::filesystem::path& place);

}  // namespace ringway::cli
