#pragma once

#include <cstdint>
#include <vector>

namespace ringway::cli {

/// Which of this process's memory is a memory file's, as the memory of rings is: what a consumer
/// was given elsewhere it has read from the log. Looks at the kernel's list of mappings whenever it
/// is asked of a place that none of those it knows has. One thread.
class MemoryFiles {
 public:
  /// Throws Error when nothing is mapped there.
  bool hold(const void* place) {
    const auto at = reinterpret_cast<std::uintptr_t>(place);
    if (!last_.has(at)) [[unlikely]]
      last_ = find(at);
    return last_.memory_file;
  }

 private:
  struct Mapping {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    bool memory_file = false;

    bool has(std::uintptr_t at) const noexcept { return from <= at && at < to; }
  };

  Mapping find(std::uintptr_t at);
  void read_mappings();

  Mapping last_;
  std::vector<Mapping> all_;
};

}  // namespace ringway::cli
