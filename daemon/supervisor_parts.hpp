#pragma once

#include <cstdint>
#include <functional>

#include "daemon/catalog.hpp"
#include "daemon/config.hpp"
#include "daemon/event_log.hpp"
#include "daemon/flusher.hpp"
#include "daemon/keepsakes.hpp"
#include "layout/board.hpp"
#include "storage/file_system.hpp"

namespace ringway::daemon {

/// What the parts of the supervisor have in common. All of it outlives them.
struct SupervisorParts {
  const Config& config;
  const EventLog& log;
  storage::FileSystem& file_system;
  Catalog& catalog;
  Keepsakes& keepsakes;
  Flusher& flusher;
  layout::ProcessId self;
  std::uint64_t epoch;
  std::function<void(std::function<void()>)> post;  ///< into the control thread, from any thread
};

}  // namespace ringway::daemon
