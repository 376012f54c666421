#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/channel.hpp"

namespace ringway::daemon {

/// One client's socket in the control thread: messages come in one at a time, replies go out in
/// order. Never blocks: a client that does not read its replies is disconnected. Kept alive by its
/// own waits until closed.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Must not own the connection, which they are part of: that would keep it alive.
  struct Events {
    std::function<void(control::Message&)> message;
    std::function<void()> closed;  ///< once; not after close()
  };

  Connection(boost::asio::io_context& io, control::Channel channel);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start(Events events);
  void send(std::string text, std::vector<shm::Descriptor> descriptors = {});
  /// Sends what waits as far as it goes at once, then closes the socket.
  void close();

  control::Channel& channel() noexcept { return channel_; }
  bool is_open() const noexcept { return open_; }

  /// Requests under way: beyond a bound nothing more is read until some are answered.
  void begin_work() noexcept { ++under_way_; }
  void end_work();

 private:
  struct Outgoing {
    std::string text;
    std::vector<shm::Descriptor> descriptors;
  };
  void wait_readable();
  void read_some();
  void wait_writable();
  bool write_some();
  void fail();

  control::Channel channel_;
  boost::asio::posix::stream_descriptor ready_;
  Events events_;
  std::deque<Outgoing> outgoing_;
  std::size_t under_way_ = 0;
  bool open_ = true;
  bool reading_ = false;
  bool writing_ = false;
};

}  // namespace ringway::daemon
