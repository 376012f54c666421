#pragma once

#include <sys/types.h>

#include <string>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::control {

/// Somebody else has the lock of a directory.
class DirectoryInUse : public Error {
 public:
  DirectoryInUse(const std::string& directory, pid_t holder);

  pid_t holder() const noexcept { return holder_; }
  /// Its short name, as "ringwayd"; "a process" where that may not be looked at.
  const std::string& program() const noexcept { return program_; }

 private:
  DirectoryInUse(const std::string& directory, pid_t holder, std::string program);

  pid_t holder_;
  std::string program_;
};

/// Sole use of a directory by one supervisor, or by who works on it offline, until destroyed or the
/// process dies: a POSIX lock on `DIRECTORY/lock`, which forked children do not inherit, and an
/// entry in a list of this process, which such locks do not protect from itself. Nobody else in it
/// may open that file: closing it releases the lock. Should somebody remove the file meanwhile, a
/// flock() on the directory itself keeps others out, where not all users may open that. Move-only.
class DirectoryLock {
 public:
  /// The directory must exist.
  /// @throws DirectoryInUse (busy) naming the holder's pid.
  explicit DirectoryLock(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept = default;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  std::string registered_;
  shm::Descriptor file_;
  shm::Descriptor directory_;  // none: not locked itself
  pid_t owner_;                // forked children have directory_, too, and must not unlock it
};

/// Who has it; 0 where nobody has, or who asks may not know. Not for who has it: see above.
pid_t lock_holder(const std::string& directory) noexcept;

}  // namespace ringway::control
