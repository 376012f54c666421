#pragma once

#include <sys/types.h>

#include <cstdint>

namespace ringway::cli {

/// What a process has for itself alone. Memory files that it maps are not in it, also where nobody
/// else has mapped them: they are the rings.
struct OwnMemory {
  std::uint64_t anonymous_bytes = 0;    ///< heap, stacks, and what it changed of its program
  std::uint64_t page_table_bytes = 0;  ///< those of what is shared, too

  std::uint64_t bytes() const noexcept { return anonymous_bytes + page_table_bytes; }
};

/// Of a process of the same user. Throws Error when there is none.
OwnMemory own_memory_of(pid_t process);

/// What the kernel can give without swapping. Throws Error.
std::uint64_t available_memory_bytes();

}  // namespace ringway::cli
