#pragma once

#include "control/messages.hpp"
#include "daemon/supervisor_parts.hpp"
#include "daemon/topic.hpp"

namespace ringway::daemon {

/// Removes from the log of a served topic the segments whose records all lie before what is asked,
/// past what no protecting cursor wants, as retention does: the flusher unlinks them, oldest first.
/// What that does, and did not: at once; `parts.flusher.answer()` tells when the files are gone.
/// @throws Error usage where there is no log or no such partition; limit where the reply would be
/// too long for a message. Then nothing was done.
control::TopicTrimmed trim(const SupervisorParts& parts, const Topic& topic,
                           const control::TrimTopic& asked);

}  // namespace ringway::daemon
