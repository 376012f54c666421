#pragma once

#include <cstdint>
#include <string>

#include "ringway/error.hpp"
#include "storage/file_system.hpp"

namespace ringway::log {

/// Throws what a call of the file system refused, where its result is a negative errno.
inline void require(std::int64_t result, const std::string& thing, const char* attempted) {
  if (result < 0) throw system_error(static_cast<int>(-result), thing, attempted);
}

inline storage::File open_or_throw(storage::FileSystem& file_system, const std::string& path,
                                   storage::OpenMode mode) {
  const int descriptor = file_system.open(path, mode);
  require(descriptor, path, "open");
  return storage::File(file_system, descriptor);
}

}  // namespace ringway::log
