#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <utility>

namespace ringway::proof {

/// A forked, single-threaded process that plays one part under this process's hand: it stands still
/// between two instructions, goes one instruction further when told, and dies of kill -9. A system
/// call counts as one instruction. Made, moved and ended by one thread. It does not outlive the
/// object, nor the process that made it.
class Puppet {
 public:
  /// What it plays; what was to be prepared is done by the time this is returned.
  using Part = std::function<void()>;

  /// Forks. `prepare` runs there, unwatched; the puppet stands before the first instruction of what
  /// it returned. @throws std::runtime_error when it cannot be traced.
  explicit Puppet(const std::function<Part()>& prepare);
  Puppet(Puppet&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        place_(other.place_),
        done_(other.done_),
        steps_(other.steps_) {}
  Puppet& operator=(Puppet&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(place_, other.place_);
    std::swap(done_, other.done_);
    std::swap(steps_, other.steps_);
    return *this;
  }
  ~Puppet() { kill(); }

  /// Whether its part is over. It still lives, and stands still.
  bool done() const noexcept { return done_; }
  /// Whether its next instruction is a system call.
  bool at_system_call() const noexcept;
  /// Whether its next instruction is this program's, not a library's nor the kernel's. Those have
  /// as many as processor and kernel want: routines are chosen by what the one can do, and a clock
  /// may be read by 200 instructions or by one system call.
  bool in_own_code() const noexcept;
  /// Instructions done so far.
  std::uint64_t steps() const noexcept { return steps_; }
  pid_t pid() const noexcept { return pid_; }

  /// One instruction further. @throws std::runtime_error when it died of it.
  void step();
  /// Another process in the same state: the same registers, a copy of its private memory, the same
  /// shared memory. It has run no instruction of its own.
  Puppet copy();
  /// Lets it play on at full speed, to the end of its part and its own, and waits for that.
  void finish();
  /// kill -9; returns when it is dead.
  void kill();

 private:
  Puppet(pid_t pid, const Puppet& twin) noexcept
      : pid_(pid), place_(twin.place_), done_(twin.done_), steps_(twin.steps_) {}
  void look_where_it_stands();

  pid_t pid_ = -1;
  std::uint64_t place_ = 0;  // the next instruction's address
  bool done_ = false;
  std::uint64_t steps_ = 0;
};

}  // namespace ringway::proof
