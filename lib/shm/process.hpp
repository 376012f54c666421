#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "layout/board.hpp"
#include "shm/descriptor.hpp"

namespace ringway::shm {

/// Who the process `pid`, known to run under `uid`, is. start_ticks is 0 (unknown) where /proc
/// hides other users' processes. Nothing when there is no such process.
std::optional<layout::ProcessId> identify(pid_t pid, uid_t uid);

/// Who this process is; also right in a forked child.
layout::ProcessId own_identity();

/// A pidfd of the process that `id` names, or nothing when it is proven that it has ended: no such
/// pid, the pid is another process's by now, or the machine has been booted since.
/// @throws Error when neither can be found out (descriptors exhausted).
std::optional<Descriptor> open_process(const layout::ProcessId& id);

/// A pidfd of whatever process has this pid now; nothing when none has.
/// @throws Error when the kernel refuses.
std::optional<Descriptor> open_pid(pid_t pid);

/// Whether the process behind a pidfd has ended: the only proof of death there is. Does not block.
bool is_dead(int pidfd) noexcept;

/// SIGKILL to the process behind a pidfd, whatever has its pid by now. False when it may not be
/// sent.
bool kill_process(int pidfd) noexcept;

/// Both name the same process, of this boot or another.
bool same_process(const layout::ProcessId& a, const layout::ProcessId& b) noexcept;

/// The account name, or the number where there is none.
std::string user_name(uid_t uid);

}  // namespace ringway::shm
