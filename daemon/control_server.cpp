#include "daemon/control_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon {
namespace {

using Wait = boost::asio::posix::stream_descriptor;

/// Everybody may connect; rights are per topic.
constexpr mode_t kSocketMode = 0666;
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};
/// One user may have this share of all connections, so that none shuts the others out.
constexpr std::uint32_t kShareOfOneUser = 4;
/// Taken in one go before others get their turn.
constexpr int kAcceptedAtOnce = 16;

Error too_long(std::size_t bytes) {
  return Error(ErrorCode::limit, "reply",
               fmt::format("has {} bytes; a message holds {}", bytes, control::kMessageBytesMax),
               "");
}

}  // namespace

ControlServer::ControlServer(boost::asio::io_context& io, Options options, Requests& requests,
                             SessionTable& sessions, const EventLog& log)
    : io_(io),
      options_(std::move(options)),
      requests_(requests),
      sessions_(sessions),
      log_(log),
      listener_(std::move(options_.listener)),
      ready_(io, listener_.fd()),
      pause_(io) {}

ControlServer::~ControlServer() {
  stop();
}

void ControlServer::start() {
  listener_.listen(kSocketMode);
  wait_for_client();
}

void ControlServer::stop() {
  if (!ready_.is_open()) return;
  ready_.cancel();
  ready_.release();
  pause_.cancel();
  for (const ClientPtr& client : std::exchange(clients_, {})) {
    if (client->session) client->session->disconnect = {};
    client->connection->close();
  }
  const control::Listener last = std::move(listener_);  // removes a file of its own
}

void ControlServer::wait_for_client() {
  ready_.async_wait(Wait::wait_read, [this](const boost::system::error_code& error) {
    if (!error) accept();
  });
}

bool ControlServer::has_room(uid_t uid) const {
  if (uid == 0 || uid == options_.trusted_uid) return clients_.size() < options_.clients_max;
  const auto same_user = [&](const ClientPtr& client) { return client->uid == uid; };
  const auto share = std::max(1u, options_.clients_max / kShareOfOneUser);
  return clients_.size() < options_.clients_max &&
         std::ranges::count_if(clients_, same_user) < static_cast<std::ptrdiff_t>(share);
}

void ControlServer::accept() {
  try {
    for (int i = 0; i < kAcceptedAtOnce; ++i) {
      auto channel = listener_.accept();
      if (!channel) break;
      const uid_t uid = channel->peer().uid;
      const auto client = std::make_shared<Client>();
      const bool room = has_room(uid);
      client->connection = std::make_shared<Connection>(io_, std::move(*channel));
      client->uid = uid;
      if (!room) {
        const Error full(ErrorCode::limit, listener_.path(),
                         "all connections that you may have are taken",
                         "close some, or raise limits.clients in the configuration");
        client->connection->send(control::encode(0, full));
        client->connection->close();
        continue;
      }
      clients_.insert(client);
      client->connection->start(
          {.message =
               [this, weak = std::weak_ptr(client)](control::Message& message) {
                 if (const auto still = weak.lock()) received(still, message);
               },
           .closed =
               [this, weak = std::weak_ptr(client)] {
                 if (const auto still = weak.lock()) drop(still);
               }});
    }
  } catch (const Error& error) {
    if (!std::exchange(paused_, true)) log_.warning("accept_paused", {{"why", error.what()}});
    pause_.expires_after(kPauseWithoutDescriptors);
    pause_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) wait_for_client();
    });
    return;
  }
  if (std::exchange(paused_, false)) log_.info("accept_resumed");
  wait_for_client();
}

void ControlServer::drop(const ClientPtr& client) {
  client->connection->close();
  clients_.erase(client);
  if (const auto session = std::exchange(client->session, nullptr)) {
    session->disconnect = {};
    sessions_.disconnected(session);
  }
}

Answer ControlServer::answer_to(const ClientPtr& client, std::uint64_t id) const {
  const auto connection = client->connection;
  connection->begin_work();
  return {.reply =
              [connection, id](control::Reply reply, std::vector<shm::Descriptor> descriptors) {
                std::string text = control::encode(id, reply);
                if (text.size() > control::kMessageBytesMax) {
                  text = control::encode(id, too_long(text.size()));
                  descriptors.clear();
                }
                connection->send(std::move(text), std::move(descriptors));
                connection->end_work();
              },
          .refuse =
              [connection, id](const Error& error) {
                connection->send(control::encode(id, error));
                connection->end_work();
              },
          .wanted = [connection] { return connection->is_open(); }};
}

void ControlServer::received(const ClientPtr& client, control::Message& message) {
  std::uint64_t id = 0;
  try {
    if (client->proof && client->proof->pending()) {
      id = client->hello_id;
      client->proof->accept(message);
      return welcome(client);
    }
    const control::Envelope envelope = control::open_envelope(message.text);
    id = envelope.id;
    const control::Request request = control::decode_request(envelope);
    if (!client->session) return greet(client, id, request);
    const auto session = client->session;  // its process may be found dead on the way
    requests_.dispatch(session, request, answer_to(client, id));
  } catch (const Error& error) {
    client->connection->send(control::encode(id, error));
    // Before the greeting nothing is owed; afterwards a bad request is only that.
    if (!client->session) drop(client);
  }
}

void ControlServer::greet(const ClientPtr& client, std::uint64_t id,
                          const control::Request& request) {
  const auto* hello = std::get_if<control::Hello>(&request);
  if (hello == nullptr) {
    throw Error(ErrorCode::usage, "control message", "the first request must be hello", "");
  }
  if (hello->protocol != control::kProtocolVersion) {
    throw Error(ErrorCode::incompatible, "protocol",
                fmt::format("the client speaks version {}, this ringwayd version {}",
                            hello->protocol, control::kProtocolVersion),
                "install matching versions of library and daemon");
  }
  client->hello = *hello;
  client->hello_id = id;
  client->proof.emplace(client->connection->channel());
  if (!client->proof->pending()) welcome(client);
}

void ControlServer::welcome(const ClientPtr& client) {
  control::PeerProof& proof = *client->proof;
  std::shared_ptr<Session> session;
  if (client->hello.session) {
    session = sessions_.resume(proof.credentials(), client->hello);
  }
  const bool resumed = session != nullptr;
  if (!resumed) {
    session = sessions_.begin(proof.credentials(), proof.take_pidfd(), client->hello);
  }
  client->session = session;
  client->proof.reset();
  session->disconnect = [this, weak = std::weak_ptr(client)] {
    if (const auto still = weak.lock()) {
      still->session = nullptr;
      drop(still);
    }
  };
  const auto connection = client->connection;
  const auto say_welcome = [this, connection, session, resumed, id = client->hello_id] {
    std::vector<shm::Descriptor> descriptors;
    descriptors.push_back(shm::duplicate(session->doorbell.get()));
    connection->send(control::encode(id, control::Welcome{.session = session->id,
                                                          .bus = options_.bus,
                                                          .supervisor_epoch = options_.epoch,
                                                          .resumed = resumed}),
                     std::move(descriptors));
  };
  if (!resumed || !client->hello.last_handle) return say_welcome();
  sessions_.take_back_behind(session, *client->hello.last_handle, say_welcome);
}

}  // namespace ringway::daemon
