#pragma once

#include <functional>
#include <optional>

#include "control/messages.hpp"
#include "daemon/supervisor_parts.hpp"
#include "daemon/topic.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

/// Removes from the log of a served topic the segments whose records all lie before what is asked,
/// past what no protecting cursor wants, as retention does: the flusher unlinks them, oldest first.
/// `done`, in this thread, when the files are gone: with what went, and with the error where a file
/// could not be removed. What went before it, or in other partitions, is gone all the same.
/// @throws Error usage where there is no log or no such partition; limit where the reply would be
/// too long for a message. Then nothing was done.
void trim(const SupervisorParts& parts, const Topic& topic, const control::TrimTopic& asked,
          std::function<void(const control::TopicTrimmed&, const std::optional<Error>&)> done);

}  // namespace ringway::daemon
