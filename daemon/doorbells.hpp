#pragma once

#include "shm/descriptor.hpp"

namespace ringway::daemon {

/// What producers ring when the flusher sleeps: an eventfd for each client, all watched as one.
/// Each has its own because whoever holds an eventfd can make it block everybody who shares it
/// (fill it, clear its O_NONBLOCK). They are never read, only noticed (edge-triggered), so a client
/// can harm nobody but itself. Any thread.
class Doorbells {
 public:
  /// @throws Error when no descriptor is left; as do the next two.
  Doorbells();

  /// A new one, watched from now on.
  shm::Descriptor make();
  /// One that an earlier supervisor made.
  void watch(int doorbell);
  /// Its client is gone.
  void forget(int doorbell) noexcept;

  /// Readable when one has rung since answer().
  int fd() const noexcept { return epoll_.get(); }
  /// Before looking at what there is to do.
  void answer() noexcept;

 private:
  shm::Descriptor epoll_;
};

/// Rings without ever waiting for long: an honest doorbell cannot be full.
void ring_doorbell(int doorbell) noexcept;

}  // namespace ringway::daemon
