#include <fmt/format.h>
#include <mosquitto.h>

#include <deque>
#include <fstream>
#include <mutex>

#include "bench/peers/peer.hpp"
#include "bench/peers/server.hpp"
#include "ringway/error.hpp"

namespace ringway::peers {
namespace {

constexpr std::uint64_t kWindow = 2'000;
constexpr int kPatienceMs = 5;
constexpr int kServedEvery = 32;  // records, between two looks at what the broker says

std::filesystem::path socket_in(const std::filesystem::path& directory) {
  return directory / "broker.sock";
}

std::vector<std::string> mosquitto_command(const std::filesystem::path& directory) {
  const std::filesystem::path settings = directory / "settings";
  std::ofstream(settings) << "listener 0 " << socket_in(directory).string() << "\n"
                          << "allow_anonymous true\n"
                          << "user root\n"  // or whoever runs it, where that is not root
                          << "max_queued_messages 0\n"
                          << "max_inflight_messages 0\n";
  return {"/usr/sbin/mosquitto", "-c", settings};
}

void must(int result, const char* what) {
  if (result == MOSQ_ERR_SUCCESS) return;
  throw Error(ErrorCode::failed, "mosquitto",
              fmt::format("{}: {}", what, ::mosquitto_strerror(result)), "");
}

std::string topic(const Lane& lane) {
  return fmt::format("lane/{}", lane.number);
}

/// A client of one process, without a thread of its own.
class Client {
 public:
  explicit Client(const std::filesystem::path& socket) {
    static std::once_flag once;
    std::call_once(once, [] { ::mosquitto_lib_init(); });
    client_ = ::mosquitto_new(nullptr, true, this);
    if (client_ == nullptr) throw Error(ErrorCode::failed, "mosquitto", "no memory", "");
    ::mosquitto_int_option(client_, MOSQ_OPT_SEND_MAXIMUM, 65535);
    ::mosquitto_int_option(client_, MOSQ_OPT_RECEIVE_MAXIMUM, 65535);
    ::mosquitto_subscribe_callback_set(
        client_, [](::mosquitto*, void* self, int, int, const int*) {
          static_cast<Client*>(self)->subscribed_ = true;
        });
    ::mosquitto_connect_callback_set(client_, [](::mosquitto*, void* self, int) {
      static_cast<Client*>(self)->connected_ = true;
    });
    ::mosquitto_message_callback_set(
        client_, [](::mosquitto*, void* self, const mosquitto_message* message) {
          const auto* const bytes = static_cast<const std::byte*>(message->payload);
          static_cast<Client*>(self)->came.emplace_back(bytes, bytes + message->payloadlen);
        });
    must(::mosquitto_connect(client_, socket.c_str(), 0, 60), "connect");
    while (!connected_) serve(kPatienceMs);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::mosquitto_destroy(client_); }

  void subscribe(const std::string& topic, int qos) {
    must(::mosquitto_subscribe(client_, nullptr, topic.c_str(), qos), "subscribe");
    while (!subscribed_) serve(kPatienceMs);
  }
  void publish(const std::string& topic, std::span<const std::byte> record, int qos) {
    must(::mosquitto_publish(client_, nullptr, topic.c_str(), static_cast<int>(record.size()),
                             record.data(), qos, false),
         "publish");
  }
  void serve(int patience_ms) { must(::mosquitto_loop(client_, patience_ms, 1), "loop"); }
  bool wants_to_write() const noexcept { return ::mosquitto_want_write(client_); }

  std::deque<std::vector<std::byte>> came;

 private:
  ::mosquitto* client_ = nullptr;
  bool connected_ = false;
  bool subscribed_ = false;
};

class MqttSender : public Sender {
 public:
  MqttSender(const std::filesystem::path& socket, const Lane& lane, int qos)
      : client_(socket), topic_(topic(lane)), qos_(qos) {}
  void send(std::span<const std::byte> record) override {
    client_.publish(topic_, record, qos_);
    if (++sent_ % kServedEvery == 0) client_.serve(0);
  }
  void flush() override {
    do {
      client_.serve(0);
    } while (client_.wants_to_write());
  }

 private:
  Client client_;
  std::string topic_;
  int qos_;
  std::uint64_t sent_ = 0;
};

class MqttReceiver : public Receiver {
 public:
  MqttReceiver(const std::filesystem::path& socket, const Lane& lane, int qos) : client_(socket) {
    client_.subscribe(topic(lane), qos);
  }
  std::span<const std::byte> receive() override {
    if (given_) client_.came.pop_front();
    if (client_.came.empty()) client_.serve(kPatienceMs);
    given_ = !client_.came.empty();
    return given_ ? std::span<const std::byte>(client_.came.front())
                  : std::span<const std::byte>();
  }

 private:
  Client client_;
  bool given_ = false;
};

}  // namespace

Candidate mosquitto(int qos) {
  const std::string name = fmt::format("mosquitto_qos{}", qos);
  return {name, [name, qos](std::uint64_t) {
            const auto broker = std::make_shared<Broker>(
                mosquitto_command,
                [](const auto& directory) { return listens_at(socket_in(directory)); });
            return std::make_unique<Peer>(Peer{
                .name = name,
                .about = fmt::format("Mosquitto over a Unix socket, QoS {}", qos),
                .persisted = qos == 0 ? "nothing" : "nothing: in the broker's memory",
                .window = kWindow,
                .sender =
                    [broker, qos](const Lane& lane) {
                      return std::make_unique<MqttSender>(socket_in(broker->directory()), lane,
                                                          qos);
                    },
                .receiver =
                    [broker, qos](const Lane& lane) {
                      return std::make_unique<MqttReceiver>(socket_in(broker->directory()), lane,
                                                            qos);
                    }});
          }};
}

}  // namespace ringway::peers
