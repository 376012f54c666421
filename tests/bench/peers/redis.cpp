#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <cstdlib>

#include "bench/peers/peer.hpp"
#include "bench/peers/server.hpp"
#include "ringway/error.hpp"

namespace ringway::peers {
namespace {

constexpr std::uint64_t kWindow = 20'000;
constexpr std::size_t kPipelined = 64;
constexpr const char* kMostKept = "100000";  // entries of the stream: its memory is bounded

std::filesystem::path socket_in(const std::filesystem::path& directory) {
  return directory / "redis.sock";
}

std::shared_ptr<Broker> serve_redis(const std::string& fsync) {
  return std::make_shared<Broker>(
      [&](const auto& directory) {
        return std::vector<std::string>{
            "redis-server", "--port", "0",            "--unixsocket", socket_in(directory),
            "--dir",        directory, "--save",       "",             "--appendonly",
            "yes",          "--appendfsync", fsync};
      },
      [](const auto& directory) { return listens_at(socket_in(directory)); });
}

struct FreeReply {
  void operator()(redisReply* reply) const noexcept { ::freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

/// A connection of one process.
class Connection {
 public:
  explicit Connection(const std::filesystem::path& socket)
      : context_(::redisConnectUnix(socket.c_str())) {
    if (context_ == nullptr || context_->err != 0) throw refused();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (context_ != nullptr) ::redisFree(context_);
  }
  void ask(std::span<const char* const> words, std::span<const std::size_t> lengths) {
    if (::redisAppendCommandArgv(context_, static_cast<int>(words.size()),
                                 const_cast<const char**>(words.data()), lengths.data()) != 0) {
      throw refused();
    }
  }
  Reply answer() {
    void* reply = nullptr;
    if (::redisGetReply(context_, &reply) != REDIS_OK) throw refused();
    Reply owned(static_cast<redisReply*>(reply));
    if (owned->type == REDIS_REPLY_ERROR) {
      throw Error(ErrorCode::failed, "Redis", std::string(owned->str, owned->len), "");
    }
    return owned;
  }

 private:
  Error refused() const {
    return Error(ErrorCode::failed, "Redis", context_ == nullptr ? "no memory" : context_->errstr,
                 "");
  }
  redisContext* context_;
};

std::string stream(const Lane& lane) {
  return fmt::format("s{}", lane.number);
}

class StreamSender : public Sender {
 public:
  StreamSender(const std::filesystem::path& socket, const Lane& lane)
      : connection_(socket), stream_(stream(lane)) {}
  void send(std::span<const std::byte> record) override {
    const char* const words[] = {"XADD", stream_.c_str(), "MAXLEN",
                                 "~",    kMostKept,       "*",
                                 "r",    reinterpret_cast<const char*>(record.data())};
    const std::size_t lengths[] = {4, stream_.size(), 6, 1, 6, 1, 1, record.size()};
    connection_.ask(words, lengths);
    if (++unanswered_ == kPipelined) flush();
  }
  void flush() override {
    for (; unanswered_ != 0; --unanswered_) connection_.answer();
  }

 private:
  Connection connection_;
  std::string stream_;
  std::size_t unanswered_ = 0;
};

class StreamReceiver : public Receiver {
 public:
  StreamReceiver(const std::filesystem::path& socket, const Lane& lane)
      : connection_(socket), stream_(stream(lane)) {}
  std::span<const std::byte> receive() override {
    if (next_ == count()) read();
    if (next_ == count()) return {};
    // [[stream, [[id, [field, value]], …]]]
    const redisReply& entry = *entries().element[next_++];
    last_.assign(entry.element[0]->str, entry.element[0]->len);
    const redisReply& value = *entry.element[1]->element[1];
    return {reinterpret_cast<const std::byte*>(value.str), value.len};
  }

 private:
  void read() {
    const char* const words[] = {"XREAD", "COUNT", "256", "BLOCK", "5", "STREAMS", stream_.c_str(),
                                 last_.c_str()};
    const std::size_t lengths[] = {5, 5, 3, 5, 1, 7, stream_.size(), last_.size()};
    connection_.ask(words, lengths);
    reply_ = connection_.answer();
    next_ = 0;
  }
  const redisReply& entries() const { return *reply_->element[0]->element[1]; }
  std::size_t count() const {
    return reply_ == nullptr || reply_->type == REDIS_REPLY_NIL ? 0 : entries().elements;
  }

  Connection connection_;
  std::string stream_;
  std::string last_ = "0-0";
  Reply reply_;
  std::size_t next_ = 0;
};

}  // namespace

Candidate redis(const std::string& fsync) {
  const std::string name = "redis_" + fsync;
  return {name, [name, fsync](std::uint64_t) {
            const auto server = serve_redis(fsync);
            return std::make_unique<Peer>(Peer{
                .name = name,
                .about =
                    fmt::format("Redis Streams over a Unix socket, XADD {} in a pipeline, XREAD",
                                kPipelined),
                .persisted = fsync == "always" ? "append-only file, synced at once"
                                               : "append-only file, synced every second",
                .window = kWindow,
                .sender =
                    [server](const Lane& lane) {
                      return std::make_unique<StreamSender>(socket_in(server->directory()), lane);
                    },
                .receiver =
                    [server](const Lane& lane) {
                      return std::make_unique<StreamReceiver>(socket_in(server->directory()), lane);
                    }});
          }};
}

}  // namespace ringway::peers
