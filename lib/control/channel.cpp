#include "control/channel.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "control/host_unit.hpp"
#include "control/socket_address.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"
#include "shm/user_namespace.hpp"

namespace ringway::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kControlBytesMax =
    CMSG_SPACE(kDescriptorsMax * sizeof(int)) + CMSG_SPACE(sizeof(ucred));

/// How long a connection waits for a place in the listener's queue.
constexpr timeval kQueuePatience{.tv_sec = 1, .tv_usec = 0};

/// Turns a timeout into a point in time, so that signals and false alarms do not prolong it.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds timeout)
      : forever_(timeout < std::chrono::milliseconds::zero()), end_(Clock::now() + timeout) {}

  /// Waits until the socket is ready for `events`; false when the time is up.
  bool wait(int fd, short events) const {
    for (;;) {
      pollfd entry{fd, events, 0};
      const int ready = ::poll(&entry, 1, left_ms());
      if (ready > 0) return true;
      if (ready == 0 && left_ms() == 0) return false;
      if (ready < 0 && errno != EINTR) return false;
    }
  }

 private:
  int left_ms() const {
    if (forever_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 1'000'000'000));
  }

  bool forever_;
  Clock::time_point end_;
};

bool would_block(int error_number) {
  return error_number == EAGAIN || error_number == EWOULDBLOCK;
}

/// Whether the same call has to be made again. A peer that closes and leaves something of ours
/// unread makes one call fail, whichever is next; what it sent before comes after that.
bool to_be_repeated(int error_number) {
  return error_number == EINTR || error_number == ECONNRESET;
}

/// Takes what came beside the text out of the control buffer; every descriptor finds an owner.
void take_attachments(msghdr& header, Message& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
        into.descriptors.emplace_back(fd);
      }
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
      into.sender = sender.pid;
    }
  }
}

}  // namespace

Channel::Channel(shm::Descriptor socket, Peer peer)
    : socket_(std::move(socket)), kind_of_peer_(peer) {
  // The default would not hold one message of the largest size.
  const int bytes = 2 * static_cast<int>(kMessageBytesMax);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

Channel Channel::connect(const std::string& path) {
  const SocketAddress address(path);
  shm::Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket && errno == EMFILE) throw shm::NoDescriptorLeft(path, "no socket can be made");
  if (!socket) {
    throw system_error(errno, path, "no socket can be made");
  }
  // Blocking only for a place in a full queue: who asks again and again would never be next.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kQueuePatience, sizeof kQueuePatience);
  int result = -1;
  do {
    result = ::connect(socket.get(), address.get(), address.bytes());
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    if (::fcntl(socket.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
      throw system_error(errno, path, "cannot be made non-blocking");
    }
    return Channel(std::move(socket));
  }
  switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
      throw Error(ErrorCode::unavailable, path, "nobody listens at this socket",
                  start_advice(path) + ", or name its socket by --socket or RINGWAY_SOCKET");
    case EAGAIN:
      throw Error(ErrorCode::unavailable, path, "the queue of connections is full", "try again");
    case EACCES:
      throw Error(ErrorCode::denied, path, "this user may not connect to the socket",
                  "check the modes of the socket and of its directories");
    default:
      throw system_error(errno, path, "cannot be connected to");
  }
}

Delivery Channel::send(std::string_view text, std::span<const int> descriptors,
                       std::chrono::milliseconds timeout) {
  if (text.empty() || text.size() > kMessageBytesMax) {
    throw Error(ErrorCode::limit, "control message",
                fmt::format("{} bytes; 1 to {} are allowed", text.size(), kMessageBytesMax), "");
  }
  if (descriptors.size() > kDescriptorsMax) {
    throw Error(ErrorCode::usage, "control message",
                fmt::format("{} descriptors; {} are allowed", descriptors.size(), kDescriptorsMax),
                "");
  }
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))] = {};
  iovec data{const_cast<char*>(text.data()), text.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  const Deadline deadline(timeout);
  for (;;) {
    if (::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Delivery::sent;
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return Delivery::closed;
    // ETOOMANYREFS: too many descriptors of this user are in flight, until somebody reads.
    if (!would_block(errno) && errno != ETOOMANYREFS && errno != ENOBUFS) {
      throw system_error(errno, "control message", "cannot be sent");
    }
    if (!would_block(errno) || !deadline.wait(socket_.get(), POLLOUT)) return Delivery::congested;
  }
}

Arrival Channel::receive(Message& into, std::chrono::milliseconds timeout,
                         std::size_t descriptors_max) {
  into = Message{};
  const Deadline deadline(timeout);
  Glimpse next;
  bool ended = false;
  for (;;) {
    // The length of the packet that comes next, so that its text is read into place.
    next = glimpse(socket_.get(), senders_named_);
    if (next.bytes > 0 || (next.bytes == 0 && ended)) break;
    if (next.bytes == 0) {
      // The kernel may say so to a look that came before the peer's last message and its close.
      ended = true;
      continue;
    }
    if (to_be_repeated(errno)) continue;
    if (!would_block(errno)) return Arrival::closed;
    if (!deadline.wait(socket_.get(), POLLIN)) return Arrival::nothing;
  }
  if (next.attached && descriptors_max == 0 && kind_of_peer_ == Peer::stranger) {
    return Arrival::broken;
  }
  const bool fits = static_cast<std::size_t>(next.bytes) <= kMessageBytesMax;
  into.text.resize(fits ? static_cast<std::size_t>(next.bytes) : 1);

  alignas(cmsghdr) char control[kControlBytesMax];
  iovec data{into.text.data(), into.text.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(sizeof(ucred)) +
                          CMSG_SPACE(std::min(descriptors_max, kDescriptorsMax) * sizeof(int));
  ssize_t received = -1;
  do {
    received = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && to_be_repeated(errno));
  if (received < 0) return would_block(errno) ? Arrival::nothing : Arrival::closed;
  take_attachments(header, into);
  // An empty packet cannot be told from the end, unless something is attached.
  if (received == 0 && into.descriptors.empty() && !into.sender) return Arrival::closed;
  if (received == 0 || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
      into.descriptors.size() > descriptors_max) {
    into = Message{};
    return Arrival::broken;
  }
  return Arrival::message;
}

void Channel::prove_senders() {
  const int on = 1;
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    throw system_error(errno, "control socket", "SO_PASSCRED failed");
  }
  senders_named_ = true;
}

Credentials Channel::peer() const {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    throw system_error(errno, "control socket", "SO_PEERCRED failed");
  }
  Credentials credentials{peer.pid, peer.uid, peer.gid, {}};
  std::vector<gid_t>& groups = credentials.groups;
  groups.resize(32);
  for (;;) {
    bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) == 0) break;
    if (errno != ERANGE) throw system_error(errno, "control socket", "SO_PEERGROUPS failed");
    groups.resize(bytes / sizeof(gid_t));
  }
  groups.resize(bytes / sizeof(gid_t));
  std::erase_if(groups, shm::may_be_unmapped_group);
  return credentials;
}

}  // namespace ringway::control
