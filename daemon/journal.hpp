#pragma once

#include "daemon/event_log.hpp"

namespace ringway::daemon {

/// Whether stderr goes to systemd's journal, which then wants fields and not lines
/// ($JOURNAL_STREAM). Never, built without libsystemd.
bool stderr_is_journal();

/// An event for the journal: its line as MESSAGE, RINGWAY_EVENT, and RINGWAY_KEY of each field. Any
/// thread.
void write_to_journal(const Event& event);

}  // namespace ringway::daemon
