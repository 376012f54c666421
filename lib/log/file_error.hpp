#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

#include "ringway/error.hpp"
#include "storage/file_system.hpp"

namespace ringway::log {

/// What a call of the file system refused, whose result is a negative errno.
inline Error file_error(std::int64_t result, const std::string& path, const char* attempted) {
  const int error_number = static_cast<int>(-result);
  const bool denied = error_number == EACCES || error_number == EPERM;
  return system_error(error_number, path, attempted,
                      denied ? "act as its owner, or give the right to it (chown, chmod)" : "");
}

/// Throws that, where the result is one.
inline void require(std::int64_t result, const std::string& path, const char* attempted) {
  if (result < 0) throw file_error(result, path, attempted);
}

inline storage::File open_or_throw(storage::FileSystem& file_system, const std::string& path,
                                   storage::OpenMode mode) {
  const int descriptor = file_system.open(path, mode);
  require(descriptor, path, "open");
  return storage::File(file_system, descriptor);
}

}  // namespace ringway::log
