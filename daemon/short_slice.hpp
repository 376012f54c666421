#pragma once

namespace ringway::daemon {

/// Asks the scheduler to let the calling thread run soon after it is woken, for a tenth of a
/// millisecond at a time, with no more of the processor in all: whoever waits for the supervisor
/// waits behind nobody's longer slice. Kernels before 6.12 have no such thing, nor do other
/// policies than SCHED_OTHER; nothing changes there.
void ask_for_short_slices() noexcept;

/// The calling thread gets what others leave of the processor, where they want all of it. Refused
/// in some containers: then it is as others.
void let_others_go_first() noexcept;

}  // namespace ringway::daemon
