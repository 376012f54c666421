#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace ringway::proof {

/// A whole process under this thread's hand, with all its threads, from system call to system call.
/// Each entry into one and each return from one is a boundary, but of those that read a clock: they
/// change nothing, and only some kernels have them. Other processes that it starts are let go. One
/// thread makes, leads and ends it. If that thread ends, the process is killed.
class Hunt {
 public:
  /// Takes hold of a running process. @throws std::system_error when it may not be traced.
  explicit Hunt(pid_t pid);
  Hunt(const Hunt&) = delete;
  Hunt& operator=(const Hunt&) = delete;
  ~Hunt();

  enum class Went : unsigned char {
    on,     ///< over a boundary
    idle,   ///< nothing happened for a while
    ended,  ///< the process is gone
  };
  /// Lets all go on until one thread has come to a boundary; it stands there. `idle` after so many
  /// milliseconds.
  Went to_boundary(int patience_ms);
  /// The thread that stands goes on by single instructions, the others as they like; not behind a
  /// system call in which it waits for longer than so many milliseconds.
  void step(std::uint64_t instructions, int patience_ms);
  std::uint64_t boundaries() const noexcept { return boundaries_; }

  /// kill -9 of all of it, wherever it stands; returns when it is dead.
  void kill();

 private:
  void seize(pid_t thread);
  bool take_in(pid_t thread, int status);
  bool reads_a_clock(pid_t thread);
  pid_t await(int& status, int patience_ms) const;
  void resume(pid_t thread, int signal);

  pid_t pid_;
  pid_t standing_ = -1;  // at a boundary, until it is led on
  bool ended_ = false;
  std::uint64_t boundaries_ = 0;
  std::map<pid_t, bool> threads_;  // and whether it runs
  std::map<pid_t, bool> clock_;    // whether the call that it is in, or was in last, reads one
};

}  // namespace ringway::proof
