#pragma once

namespace [[gnu::visibility("default")]] ringway {

/// From now on this process outlives the loss of pages of its topics' memory. Whoever may write to
/// a topic can also punch holes into its memory; while there is no memory to fill them again, the
/// next access to one is a SIGBUS, which ends whoever has not called this.
///
/// Installs a handler of SIGBUS, the only one that the library ever installs, and only here.
/// Process-wide and for good; any thread, at any time, also again (once is enough). Faults in
/// memory that is not a topic's, and signals that were sent, go to the handler that was there
/// before; whoever installs one later has to call the handler it found. A thread that blocks SIGBUS
/// when it meets one ends the process all the same. Does not reach into the supervisor of
/// ringway::Embedded, which has EmbeddedOptions::survive_lost_pages.
///
/// A lost page reads as zeros here and nobody sees what is written there, so:
///   - publish() and commit() say `quarantined` of a record that may have gone there. Its offset is
///     skipped, unless somebody could see it before the loss was known.
///   - The next poll() says `quarantined`, beside what it found. Bytes that a view shows may turn
///     into zeros while they are looked at, and a system call that is handed them may say EFAULT:
///     Consumer::validate() tells, and a program that wants to be sure asks it after use.
/// The handle then maps its topic anew by itself, and works again as soon as there is memory, or
/// another ring (Bus::alter_topic()); until then a consumer reads from the log what the log has.
///
/// Throws Error{failed} when the few pages that it holds ready cannot be had.
[[gnu::visibility("default")]] void survive_lost_pages();

}  // namespace ringway
