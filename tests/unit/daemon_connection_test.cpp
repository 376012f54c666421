#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>

#include "daemon/connection.hpp"

namespace daemon_connection_test {

using namespace ringway;
using daemon::Connection;  // not the client's
using namespace std::chrono_literals;

TEST_CASE("connection: nothing is left of one that is closed, whoever closes it", "[daemon]") {
  enum class By { owner, owner_when_busy, peer, message };
  const By by = GENERATE(By::owner, By::owner_when_busy, By::peer, By::message);
  CAPTURE(static_cast<int>(by));
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  control::Channel peer{shm::Descriptor(ends[0])};
  boost::asio::io_context io;
  auto connection = std::make_shared<Connection>(io, control::Channel(shm::Descriptor(ends[1])));
  const std::weak_ptr<Connection> left = connection;
  connection->start({.message =
                         [left, by](control::Message&) {
                           const auto still = left.lock();
                           still->begin_work();
                           if (by == By::message) still->close();
                         },
                     .closed = [] {}});
  const int messages = by == By::owner_when_busy ? 100 : 1;
  for (int i = 0; i < messages; ++i) {
    REQUIRE(peer.send("a message", {}, 1s) == control::Delivery::sent);
  }
  if (by == By::peer) peer.close();
  io.poll();
  if (by == By::owner || by == By::owner_when_busy) connection->close();
  CHECK_FALSE(connection->is_open());
  connection = nullptr;
  io.restart();
  io.poll();
  CHECK(left.expired());
}

}  // namespace daemon_connection_test
