#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "proof/guarded_memory.hpp"

namespace ringway::proof {

/// A whole process under this thread's hand, with all its threads, from boundary to boundary. Other
/// processes that it starts are let go. One thread makes, leads and ends it. If that thread ends,
/// the process is killed.
class Hunt {
 public:
  enum class Boundaries : unsigned char {
    /// Each entry into one and each return from one, but of those that read a clock: they change
    /// nothing, and only some kernels have them.
    system_calls,
    /// Before and behind each store to shared memory of the bus, of any of its threads.
    stores,
  };

  /// Takes hold of a running process. @throws std::system_error when it may not be traced.
  Hunt(pid_t pid, Boundaries boundaries);
  Hunt(const Hunt&) = delete;
  Hunt& operator=(const Hunt&) = delete;
  ~Hunt();

  enum class Went : unsigned char {
    on,     ///< over a boundary
    idle,   ///< nothing happened for a while
    ended,  ///< the process is gone
  };
  /// Lets all go on until one thread has come to a boundary; it stands there. `idle` after so many
  /// milliseconds without one.
  Went to_boundary(int patience_ms);
  /// From a system call on. The thread that stands goes on by single instructions, the others as
  /// they like; not behind a system call in which it waits for longer than so many milliseconds.
  void step(std::uint64_t instructions, int patience_ms);
  std::uint64_t boundaries() const noexcept { return boundaries_; }
  /// Of the store that the last boundary was at: its instruction's place in its file; or 0.
  std::uint64_t place() const noexcept { return place_; }

  /// kill -9 of all of it, wherever it stands; returns when it is dead.
  void kill();

 private:
  using Clock = std::chrono::steady_clock;

  void seize(pid_t thread);
  bool take_in(pid_t thread, int status);
  bool take_in_system_call(pid_t thread);
  pid_t await(int& status, Clock::time_point until) const;
  void resume(pid_t thread, int signal);

  pid_t pid_;
  std::optional<GuardedMemory> memory_;  // where stores are the boundaries
  pid_t standing_ = -1;                  // at a boundary, until it is led on
  bool before_store_ = false;            // standing_ is about to store
  bool ended_ = false;
  std::uint64_t boundaries_ = 0;
  std::uint64_t place_ = 0;
  // With the system call that it is in, or was in last.
  std::map<pid_t, SystemCall> threads_;
};

}  // namespace ringway::proof
