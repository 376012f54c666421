#include "control/disposal.hpp"

#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <semaphore>
#include <system_error>
#include <thread>
#include <utility>

namespace ringway::control {
namespace {

/// More messages than a queue takes (net.unix.max_dgram_qlen) mean that something is wrong.
constexpr int kUnreadMax = 4096;

/// Whether closing the socket may close a descriptor that somebody attached. Nothing more arrives.
bool holds_descriptors(int socket) noexcept {
  ::shutdown(socket, SHUT_RD);
  // With their senders' credentials empty messages can be told from the end.
  const int on = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) return true;
  bool reset = false;
  for (int i = 0; i < kUnreadMax; ++i) {
    const Glimpse next = glimpse(socket, true);
    if (next.bytes < 0) {
      if (errno == EINTR) continue;
      // Said once, before what came earlier.
      if (errno == ECONNRESET && !std::exchange(reset, true)) continue;
      return errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOTCONN && errno != ECONNRESET;
    }
    if (next.attached) return true;
    if (!next.credentials) return false;  // the end
    char byte;
    ::recv(socket, &byte, sizeof byte, MSG_DONTWAIT);
  }
  return true;
}

void close_in_an_ending_thread(shm::Descriptor socket) noexcept {
  struct Handover {
    std::binary_semaphore copied{0};
    std::binary_semaphore released{0};
  } handover;
  try {
    std::thread undertaker([&handover] {
      // A table of its own, with copies of everything: the socket's is the last when it ends.
      ::unshare(CLONE_FILES);
      handover.copied.release();
      handover.released.acquire();
    });
    handover.copied.acquire();
    socket.reset();
    handover.released.release();
    undertaker.join();
  } catch (const std::system_error&) {
    // No thread can be had: `socket` is closed here, and may keep us waiting.
  }
}

}  // namespace

Glimpse glimpse(int socket, bool senders_named) noexcept {
  // Room for credentials and not for a single descriptor: those that do not fit are not opened.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  msghdr header{};
  if (senders_named) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  Glimpse seen;
  seen.bytes = ::recvmsg(socket, &header, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (seen.bytes < 0) return seen;
  seen.attached = (header.msg_flags & MSG_CTRUNC) != 0;
  const cmsghdr* const first = CMSG_FIRSTHDR(&header);
  seen.credentials = first != nullptr && first->cmsg_type == SCM_CREDENTIALS;
  return seen;
}

void dispose_of_connection(shm::Descriptor socket) noexcept {
  if (socket && holds_descriptors(socket.get())) close_in_an_ending_thread(std::move(socket));
}

void dispose_of_listener(shm::Descriptor socket) noexcept {
  if (socket) close_in_an_ending_thread(std::move(socket));
}

}  // namespace ringway::control
