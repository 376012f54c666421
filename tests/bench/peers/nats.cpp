#include <fmt/format.h>
#include <nats/nats.h>

#include "bench/peers/peer.hpp"
#include "bench/peers/server.hpp"
#include "ringway/error.hpp"

namespace ringway::peers {
namespace {

constexpr std::uint64_t kWindow = 10'000;
constexpr std::int64_t kPatienceMs = 5;
constexpr std::int64_t kAllTakenMs = 20'000;
constexpr int kTries = 20;
constexpr std::int64_t kAgainMs = 20;

void must(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  throw Error(ErrorCode::failed, "NATS", fmt::format("{}: {}", what, ::natsStatus_GetText(status)),
              "");
}

std::shared_ptr<Broker> serve_nats(std::uint16_t port) {
  return std::make_shared<Broker>(
      [port](const auto& directory) {
        return std::vector<std::string>{"/usr/sbin/nats-server", "-js",       "-sd",
                                        directory / "store",     "-a",        "127.0.0.1",
                                        "-p",                    std::to_string(port)};
      },
      [port](const auto&) { return listens_at(port); });
}

/// A connection of one process, with a stream on disk for each way.
class Connection {
 public:
  Connection(const std::string& url, const Lane& lane)
      : subject(fmt::format("lane.{}", lane.number)) {
    natsOptions* options = nullptr;
    must(::natsOptions_Create(&options), "options");
    natsStatus status = ::natsOptions_SetURL(options, url.c_str());
    if (status == NATS_OK) status = ::natsOptions_SetSendAsap(options, lane.at_once);
    if (status == NATS_OK) status = ::natsConnection_Connect(&connection_, options);
    ::natsOptions_Destroy(options);
    must(status, "connect");
    must(::natsConnection_JetStream(&jetstream, connection_, nullptr), "JetStream");
    jsStreamConfig config;
    must(::jsStreamConfig_Init(&config), "stream");
    const std::string name = fmt::format("LANE{}", lane.number);
    const char* subjects[] = {subject.c_str()};
    config.Name = name.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.MaxBytes = std::int64_t{256} << 20;
    // Both ends make it, and the second one finds it as it would have it: but not always while the
    // first one is at it.
    for (int tries = 1;; ++tries) {
      status = ::js_AddStream(nullptr, jetstream, &config, nullptr, nullptr);
      if (status == NATS_OK) break;
      if (tries == kTries) must(status, "stream");
      ::nats_Sleep(kAgainMs);
    }
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    ::jsCtx_Destroy(jetstream);
    ::natsConnection_Destroy(connection_);
  }

  const std::string subject;
  jsCtx* jetstream = nullptr;

 private:
  natsConnection* connection_ = nullptr;
};

class JetStreamSender : public Sender {
 public:
  JetStreamSender(const std::string& url, const Lane& lane) : connection_(url, lane) {}
  void send(std::span<const std::byte> record) override {
    must(::js_PublishAsync(connection_.jetstream, connection_.subject.c_str(), record.data(),
                           static_cast<int>(record.size()), nullptr),
         "publish");
  }
  void flush() override {
    jsPubOptions options;
    must(::jsPubOptions_Init(&options), "publish");
    options.MaxWait = kAllTakenMs;
    must(::js_PublishAsyncComplete(connection_.jetstream, &options), "publish");
  }

 private:
  Connection connection_;
};

class JetStreamReceiver : public Receiver {
 public:
  JetStreamReceiver(const std::string& url, const Lane& lane) : connection_(url, lane) {
    jsSubOptions options;
    must(::jsSubOptions_Init(&options), "subscribe");
    options.Ordered = true;
    must(::js_SubscribeSync(&subscription_, connection_.jetstream, connection_.subject.c_str(),
                            nullptr, &options, nullptr),
         "subscribe");
    must(::natsSubscription_SetPendingLimits(subscription_, -1, -1), "subscribe");
  }
  ~JetStreamReceiver() override {
    ::natsMsg_Destroy(message_);
    ::natsSubscription_Destroy(subscription_);
  }
  std::span<const std::byte> receive() override {
    ::natsMsg_Destroy(message_);
    message_ = nullptr;
    const natsStatus status = ::natsSubscription_NextMsg(&message_, subscription_, kPatienceMs);
    if (status == NATS_TIMEOUT) return {};
    must(status, "next message");
    return {reinterpret_cast<const std::byte*>(::natsMsg_GetData(message_)),
            static_cast<std::size_t>(::natsMsg_GetDataLength(message_))};
  }

 private:
  Connection connection_;
  natsSubscription* subscription_ = nullptr;
  natsMsg* message_ = nullptr;
};

}  // namespace

Candidate nats() {
  return {"nats_jetstream", [](std::uint64_t) {
            const std::uint16_t port = free_port();
            const auto server = serve_nats(port);
            const std::string url = fmt::format("nats://127.0.0.1:{}", port);
            return std::make_unique<Peer>(Peer{
                .name = "nats_jetstream",
                .about = "NATS JetStream over loopback, file storage, published without waiting",
                .persisted = "in the page cache when acknowledged",
                .window = kWindow,
                .sender =
                    [server, url](const Lane& lane) {
                      return std::make_unique<JetStreamSender>(url, lane);
                    },
                .receiver =
                    [server, url](const Lane& lane) {
                      return std::make_unique<JetStreamReceiver>(url, lane);
                    }});
          }};
}

}  // namespace ringway::peers
