#pragma once

#include "shm/descriptor.hpp"

namespace ringway::control {

// A message keeps the descriptors attached to it open until it is read or its socket is closed. Who
// lets go of the last one of a file waits for that file: a TCP socket that lingers holds its closer
// for as long as its sender liked, and there is no telling what else does. So what strangers attach
// is neither taken nor thrown away by a thread that has something to do.

/// Closes one end of a SOCK_SEQPACKET connection to a stranger. What lies unread in it without a
/// descriptor is read and forgotten; with one, a thread that is about to end closes the socket: the
/// kernel does not wait for files of a thread that ends.
void dispose_of_connection(shm::Descriptor socket) noexcept;

/// The same of a listening socket: connections in its queue may hold messages already.
void dispose_of_listener(shm::Descriptor socket) noexcept;

/// What a peek at the next message of a non-blocking socket says. Leaves it where it is and opens
/// none of its descriptors.
struct Glimpse {
  long bytes = -1;  ///< of its text; -1: no message, see errno; 0 also when there is none to come
  bool attached = false;  ///< descriptors come with it
  bool credentials = false;
};
/// `senders_named`: the socket has SO_PASSCRED.
Glimpse glimpse(int socket, bool senders_named) noexcept;

}  // namespace ringway::control
