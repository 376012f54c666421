#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "daemon/event_log.hpp"

namespace ringway::daemon::metrics {

/// How often each event came since the process began, whatever of them the log shows. Their names
/// are this program's own, so there are few. Any thread.
class EventCounts {
 public:
  struct Counts {
    std::map<std::string, std::uint64_t, std::less<>> events;
    std::map<std::string, std::uint64_t, std::less<>> rings_replaced;  ///< by reason
  };

  EventCounts();

  void count(const Event& event);
  Counts counts() const;

 private:
  mutable std::mutex mutex_;
  Counts counts_;
};

}  // namespace ringway::daemon::metrics
