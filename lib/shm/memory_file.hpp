#pragma once

#include <cstdint>
#include <string>

#include "shm/descriptor.hpp"

namespace ringway::shm {

/// Makes an anonymous memory file (memfd) of exactly `bytes` (a multiple of the page size): zeroed,
/// every page reserved and populated so that no later access can run out of memory, sealed against
/// any change of its size, mode 0600 so that no other user can reopen it writable.
/// @throws Error (limit) when memory is short, naming the limit and the fix.
Descriptor create_memory_file(const std::string& name, std::uint64_t bytes);

/// The same by steps, for who cannot wait until some GiB are cleared. One thread at a time.
class MemoryFileInMaking {
 public:
  /// Of the memory that is there, `promised_bytes` are for others that are being made.
  MemoryFileInMaking(std::string name, std::uint64_t bytes, std::uint64_t promised_bytes);

  /// Reserves and populates a little more of it. Behind the last step it is sealed.
  void step();
  std::uint64_t missing_bytes() const noexcept { return bytes_ - made_bytes_; }
  /// When nothing is missing.
  Descriptor take() { return std::move(file_); }

 private:
  std::string name_;
  std::uint64_t bytes_, made_bytes_ = 0;
  Descriptor file_;
};

/// Checks a descriptor that came from another process: a memory file of exactly `bytes` whose size
/// can never change, so that mapping it cannot fault by truncation.
/// @throws Error naming what is wrong with it.
void verify_memory_file(int fd, const std::string& name, std::uint64_t bytes);

/// The same where the size is not known beforehand; returns it.
std::uint64_t verified_memory_bytes(int fd, const std::string& name);

}  // namespace ringway::shm
