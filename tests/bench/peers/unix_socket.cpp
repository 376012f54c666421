#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "bench/peers/peer.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::peers {
namespace {

constexpr timeval kPatience{0, 5000};

/// Both ends of both ways.
struct Pairs {
  std::array<shm::Descriptor, 2> in, out;

  Pairs() {
    for (std::size_t lane = 0; lane < in.size(); ++lane) {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        throw system_error(errno, "socketpair", "failed");
      }
      in[lane] = shm::Descriptor(ends[0]);
      out[lane] = shm::Descriptor(ends[1]);
      ::setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    }
  }
};

class SocketSender : public Sender {
 public:
  explicit SocketSender(int socket) : socket_(socket) {}
  void send(std::span<const std::byte> record) override {
    if (::send(socket_, record.data(), record.size(), MSG_NOSIGNAL) < 0) {
      throw system_error(errno, "socket", "cannot be sent to");
    }
  }

 private:
  int socket_;
};

class SocketReceiver : public Receiver {
 public:
  SocketReceiver(int socket, std::uint64_t size_bytes) : socket_(socket), buffer_(size_bytes) {}
  std::span<const std::byte> receive() override {
    const ssize_t bytes = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (bytes >= 0) return std::span(buffer_).first(static_cast<std::size_t>(bytes));
    if (errno == EAGAIN || errno == EINTR) return {};
    throw system_error(errno, "socket", "cannot be received from");
  }

 private:
  int socket_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Candidate unix_socket() {
  return {"unix_socket", [](std::uint64_t) {
            const auto pairs = std::make_shared<Pairs>();
            return std::make_unique<Peer>(Peer{
                .name = "unix_socket",
                .about = "Unix socket (SOCK_SEQPACKET), a system call a record on either side",
                .persisted = "nothing",
                .sender =
                    [pairs](const Lane& lane) {
                      return std::make_unique<SocketSender>(pairs->in[lane.number].get());
                    },
                .receiver =
                    [pairs](const Lane& lane) {
                      return std::make_unique<SocketReceiver>(pairs->out[lane.number].get(),
                                                              lane.size_bytes);
                    }});
          }};
}

}  // namespace ringway::peers
