#pragma once

namespace ringway::cli {

/// While it lives, the first SIGINT or SIGTERM is a wish to end: it is remembered, and a waiting
/// call of the given handle returns `interrupted`. The second one ends the process as if nothing
/// were installed. One at a time; the handle outlives it and is not moved meanwhile.
class StopSignal {
 public:
  /// Handle has an async-signal-safe interrupt(): ringway::Producer or ringway::Consumer.
  template <class Handle>
  explicit StopSignal(Handle& handle)
      : StopSignal([](void* which) { static_cast<Handle*>(which)->interrupt(); }, &handle) {}
  /// For who waits for nothing but system calls: those return EINTR.
  StopSignal() : StopSignal(nullptr, nullptr) {}
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  bool requested() const noexcept;

 private:
  StopSignal(void (*interrupt)(void*), void* handle);
};

}  // namespace ringway::cli
