#pragma once

namespace ringway::shm {

/// A memory barrier that one process makes all others pay for: those that publish often register
/// once, those that go to sleep rarely issue it, and no publish needs a fence of its own. Where the
/// kernel has none (or RINGWAY_WITHOUT=membarrier), publishers fence and sleeps are kept short.
class ProcessBarrier {
 public:
  /// What this process may use, found out once.
  static const ProcessBarrier& instance();
  /// Finds out anew.
  static ProcessBarrier detect() noexcept;

  bool available() const noexcept { return available_; }
  /// Makes issue() of any process reach all threads of this one. Repeating it is cheap and
  /// harmless; a forked child inherits it. False when not available: fence after every publish
  /// instead.
  bool register_process() const noexcept;
  /// A full barrier in every running thread of every registered process, and in this thread.
  /// False when not available: sleep for at most a millisecond.
  bool issue() const noexcept;

 private:
  explicit ProcessBarrier(bool available) noexcept : available_(available) {}

  bool available_;
};

}  // namespace ringway::shm
