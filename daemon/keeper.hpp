#pragma once

#include <string>

namespace ringway::daemon {

/// The keeper process: `ringwayd --keeper RUNTIME_DIR STATE_DIR`. Holds descriptors for the
/// supervisors of one state directory, one after the other, and hands them back; nothing else.
/// Survives each of them; ends when told to, or when its runtime directory is gone. Says "ready" on
/// stdout once it can be connected to, then leaves stdio alone.
///
/// Requests, over `RUNTIME_DIR/keeper.sock`; the reply {"id": n, …} is the barrier:
///
///     {"op": "attach", "state_dir": …}               comes first       trusted users only
///     {"op": "put", "name": …, "meta": {…}} + fd                       trusted users only
///     {"op": "drop", "name": …}                                        trusted users only
///     {"op": "list", "after": name}       -> {"kept": [{"name", "meta"}, …], "more"} + fds
///     {"op": "end"}                                                    trusted users only
///     {"op": "look", "topic": …, "after"} -> {"kept": […], "more"} + fds    anybody; rights decide
///     {"op": "where"}                     -> {"state_dir"}                   anybody
///
/// Trusted are root and the keeper's own user. `look` gives readers of the topic its ring and
/// board, reopened read-only. Session memory tells of all that a client does, on whichever topic:
/// it goes to trusted users, and where it is put with a topic of its own, to that topic's admins.
/// @throws Error when it cannot start; @returns the exit status once it has.
int keeper_main(const std::string& runtime_dir, const std::string& state_dir);

}  // namespace ringway::daemon
