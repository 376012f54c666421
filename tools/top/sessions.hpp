#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>

#include "layout/session.hpp"
#include "shm/landing.hpp"
#include "shm/region.hpp"
#include "tools/found_memory.hpp"
#include "tools/inspected_topic.hpp"

namespace ringway::cli::top {

/// The session memory of a bus, each file mapped once for all topics: where consumers are. As far
/// as this user may look into the supervisor; of others' there is none. One thread.
class Sessions {
 public:
  /// From now on sessions are looked for in this process.
  void serve(pid_t supervisor);

  /// nullptr where it is not visible. Looks for new ones, but not in every call.
  const layout::Slot* slot(const Handle& handle, std::uint32_t partition);
  /// Lets go of those that nobody asked for since the last call.
  void forget_unused();

 private:
  struct Mapped {
    shm::Region region;
    shm::LandingArea landing;  // its client may have punched holes into it
    bool used = true;
  };

  void look_again();

  pid_t supervisor_ = 0;
  std::chrono::steady_clock::time_point next_look_{};
  std::map<FoundMemory::SessionChunk, Mapped> mapped_;
};

}  // namespace ringway::cli::top
