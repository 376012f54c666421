#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/metrics/event_counts.hpp"
#include "daemon/metrics/inventory.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon::metrics {

/// GET /metrics, for Prometheus, by a thread of its own that others run before. It asks the control
/// thread for an inventory, twice a second at most however many ask it, and looks at the boards by
/// itself. Each connection is for one request, has three seconds to send it and half a minute
/// for all, and takes some tens of KiB; there are sixteen at most at each socket. Who takes them
/// all keeps others from connecting there meanwhile, and holds up nothing of the bus.
class Server {
 public:
  struct Options {
    shm::Descriptor unix_socket{};      ///< listening; none: not served there
    std::filesystem::path unix_path{};  ///< goes with it
    shm::Descriptor tcp_socket{};       ///< listening
    std::filesystem::path state_dir;
    const EventCounts& events;  ///< outlives it
    /// Hands over and returns at once; `take` is called in the control thread, or never.
    std::function<void(std::function<void(Inventory)> take)> ask;
  };

  /// @throws Error where no thread or server can be had.
  explicit Server(Options options);
  ~Server();  ///< who waits for a scrape gets none
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Calls `done` in the thread of its own when that comes round, or at the end. Any thread.
  void answer(std::function<void()> done);

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace ringway::daemon::metrics
