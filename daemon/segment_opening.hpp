#pragma once

#include <optional>

#include "control/messages.hpp"
#include "daemon/event_log.hpp"
#include "daemon/topic.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon {

/// What to read for a place in the log.
struct OpenedSegment {
  control::SegmentFound found{};
  shm::Descriptor file{};  ///< none where the ring has it
  /// Why the newest segment cannot be opened: nothing else is said then.
  std::optional<Error> newest_refused{};
};

/// Opens the segment that has it, of a topic that is served, or the next one that can be read: what
/// lies between is noted as the topic's damage. Control thread. @throws Error where this process
/// lacks descriptors or memory.
OpenedSegment open_segment(Topic& topic, const control::FindSegment& find, const EventLog& log);

}  // namespace ringway::daemon
