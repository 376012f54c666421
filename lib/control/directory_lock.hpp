#pragma once

#include <string>

#include "shm/descriptor.hpp"

namespace ringway::control {

/// Sole use of a directory by one supervisor, or by who works on it offline, until destroyed or the
/// process dies: a POSIX lock on `DIRECTORY/lock`, which forked children do not inherit, and an
/// entry in a list of this process, which such locks do not protect from itself. Nobody else in it
/// may open that file: closing it releases the lock. Move-only.
class DirectoryLock {
 public:
  /// The directory must exist.
  /// @throws Error busy naming the holder's pid.
  explicit DirectoryLock(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept = default;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  std::string registered_;
  shm::Descriptor file_;
};

}  // namespace ringway::control
