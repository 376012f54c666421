#include <fmt/format.h>
#include <zmq.h>

#include <cerrno>

#include "bench/peers/peer.hpp"
#include "bench/peers/server.hpp"
#include "ringway/error.hpp"

namespace ringway::peers {
namespace {

constexpr int kPatienceMs = 5;
constexpr int kDropWhatIsLeft = 0;  // who would take it may have ended: all that counts has arrived

Error refused(const char* what) {
  return Error(ErrorCode::failed, "ZeroMQ", fmt::format("{}: {}", what, ::zmq_strerror(errno)), "");
}

/// A socket and its context, of one process.
class Endpoint {
 public:
  explicit Endpoint(int type) : context_(::zmq_ctx_new()), socket_(::zmq_socket(context_, type)) {
    if (socket_ == nullptr) throw refused("zmq_socket");
    ::zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &kPatienceMs, sizeof kPatienceMs);
    ::zmq_setsockopt(socket_, ZMQ_LINGER, &kDropWhatIsLeft, sizeof kDropWhatIsLeft);
  }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint() {
    ::zmq_close(socket_);
    ::zmq_ctx_term(context_);
  }
  void* get() const noexcept { return socket_; }

 private:
  void* context_;
  void* socket_;
};

std::string address(const PrivateDirectory& directory, const Lane& lane) {
  return fmt::format("ipc://{}/{}", directory.path().string(), lane.number);
}

class PushSender : public Sender {
 public:
  explicit PushSender(const std::string& address) : end_(ZMQ_PUSH) {
    if (::zmq_connect(end_.get(), address.c_str()) != 0) throw refused("zmq_connect");
  }
  void send(std::span<const std::byte> record) override {
    if (::zmq_send(end_.get(), record.data(), record.size(), 0) < 0) throw refused("zmq_send");
  }

 private:
  Endpoint end_;
};

class PullReceiver : public Receiver {
 public:
  explicit PullReceiver(const std::string& address) : end_(ZMQ_PULL) {
    if (::zmq_bind(end_.get(), address.c_str()) != 0) throw refused("zmq_bind");
    ::zmq_msg_init(&message_);
  }
  ~PullReceiver() override { ::zmq_msg_close(&message_); }
  std::span<const std::byte> receive() override {
    if (::zmq_msg_recv(&message_, end_.get(), 0) < 0) {
      if (errno == EAGAIN || errno == EINTR) return {};
      throw refused("zmq_msg_recv");
    }
    return {static_cast<const std::byte*>(::zmq_msg_data(&message_)), ::zmq_msg_size(&message_)};
  }

 private:
  Endpoint end_;
  zmq_msg_t message_;
};

}  // namespace

Candidate zeromq() {
  return {"zeromq", [](std::uint64_t) {
            const auto directory = std::make_shared<PrivateDirectory>();
            return std::make_unique<Peer>(Peer{
                .name = "zeromq",
                .about = "ZeroMQ PUSH and PULL over ipc://",
                .persisted = "nothing",
                .sender =
                    [directory](const Lane& lane) {
                      return std::make_unique<PushSender>(address(*directory, lane));
                    },
                .receiver =
                    [directory](const Lane& lane) {
                      return std::make_unique<PullReceiver>(address(*directory, lane));
                    }});
          }};
}

}  // namespace ringway::peers
