#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>

#include "control/channel.hpp"
#include "control/peer_proof.hpp"
#include "daemon/connection.hpp"
#include "daemon/requests.hpp"

namespace ringway::daemon {

/// The control socket: accepts clients, finds out which process each is, gives it its session, and
/// hands its requests on. A message that breaks the protocol costs its sender the connection;
/// nothing a client sends costs anybody else anything. Control thread only.
class ControlServer {
 public:
  struct Options {
    control::Listener listener;
    std::uint32_t clients_max;
    uid_t trusted_uid;
    shm::Uuid bus;
    std::uint64_t epoch;
  };

  /// Listens from start() on: were clients to wait in its queue while rings are adopted, producers
  /// that only look for a new supervisor would stand still meanwhile. (Those of a service manager's
  /// socket do wait, up to two seconds: see BusState::keep_attached().)
  ControlServer(boost::asio::io_context& io, Options options, Requests& requests,
                SessionTable& sessions, const EventLog& log);
  ~ControlServer();

  void start();
  void set_clients_max(std::uint32_t clients) noexcept { options_.clients_max = clients; }
  /// No more clients, no more requests; the socket's file is gone, but a service manager's.
  void stop();

 private:
  /// A connection and who is at its other end, as far as that is known.
  struct Client {
    std::shared_ptr<Connection> connection;
    uid_t uid = 0;
    std::optional<control::PeerProof> proof{};
    std::uint64_t hello_id = 0;
    control::Hello hello{};
    std::shared_ptr<Session> session{};
  };
  using ClientPtr = std::shared_ptr<Client>;

  void wait_for_client();
  void accept();
  bool has_room(uid_t uid) const;
  void received(const ClientPtr& client, control::Message& message);
  void greet(const ClientPtr& client, std::uint64_t id, const control::Request& request);
  void welcome(const ClientPtr& client);
  void drop(const ClientPtr& client);
  Answer answer_to(const ClientPtr& client, std::uint64_t id) const;

  boost::asio::io_context& io_;
  Options options_;
  Requests& requests_;
  SessionTable& sessions_;
  const EventLog& log_;
  control::Listener listener_;
  boost::asio::posix::stream_descriptor ready_;
  boost::asio::steady_timer pause_;
  bool paused_ = false;  // clients wait in the queue, which was said
  std::set<ClientPtr> clients_;
};

}  // namespace ringway::daemon
