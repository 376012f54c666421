#include "daemon/connection.hpp"

#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

/// Read in one go before others get their turn.
constexpr int kMessagesAtOnce = 16;
constexpr std::size_t kOutgoingMax = 64;
constexpr std::size_t kUnderWayMax = 32;
/// Requests carry no descriptors.
constexpr std::size_t kDescriptorsTaken = 0;
constexpr std::chrono::milliseconds kNow{0};

using Wait = boost::asio::posix::stream_descriptor;

}  // namespace

Connection::Connection(boost::asio::io_context& io, control::Channel channel)
    : channel_(std::move(channel)), ready_(io, channel_.fd()) {}

Connection::~Connection() {
  // The channel owns the descriptor.
  if (ready_.is_open()) ready_.release();
}

void Connection::start(Events events) {
  events_ = std::move(events);
  wait_readable();
}

void Connection::wait_readable() {
  if (!open_ || reading_ || under_way_ >= kUnderWayMax) return;
  reading_ = true;
  ready_.async_wait(Wait::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      self->reading_ = false;
                      if (!error && self->open_) self->read_some();
                    });
}

void Connection::read_some() {
  for (int i = 0; i < kMessagesAtOnce && open_ && under_way_ < kUnderWayMax; ++i) {
    control::Message message;
    switch (channel_.receive(message, kNow, kDescriptorsTaken)) {
      case control::Arrival::message:
        events_.message(message);
        break;
      case control::Arrival::nothing:
        return wait_readable();
      case control::Arrival::closed:
      case control::Arrival::broken:
        return fail();
    }
  }
  wait_readable();
}

void Connection::send(std::string text, std::vector<shm::Descriptor> descriptors) {
  if (!open_) return;
  if (outgoing_.size() >= kOutgoingMax) return fail();
  outgoing_.push_back({std::move(text), std::move(descriptors)});
  if (!writing_ && write_some()) wait_writable();
}

/// Whether something is left that the client must read first.
bool Connection::write_some() {
  try {
    while (!outgoing_.empty()) {
      const Outgoing& next = outgoing_.front();
      std::vector<int> fds;
      for (const shm::Descriptor& descriptor : next.descriptors) fds.push_back(descriptor.get());
      switch (channel_.send(next.text, fds, kNow)) {
        case control::Delivery::sent:
          outgoing_.pop_front();
          break;
        case control::Delivery::congested:
          return true;
        case control::Delivery::closed:
          outgoing_.clear();  // what it said before that is read first, and then its end
          return false;
      }
    }
  } catch (const Error&) {
    fail();  // a reply that cannot be sent at all: the client must not wait for it
  }
  return false;
}

void Connection::wait_writable() {
  writing_ = true;
  ready_.async_wait(Wait::wait_write,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      self->writing_ = false;
                      if (!error && self->open_ && self->write_some()) self->wait_writable();
                    });
}

void Connection::end_work() {
  --under_way_;
  wait_readable();
}

void Connection::fail() {
  if (!open_) return;
  const auto self = shared_from_this();  // what `closed` does may let go of the last owner
  const auto closed = std::move(events_.closed);
  outgoing_.clear();
  close();
  if (closed) closed();
}

void Connection::close() {
  if (!open_) return;
  if (!outgoing_.empty()) write_some();
  if (!open_) return;
  open_ = false;
  ready_.cancel();
  ready_.release();
  channel_.close();
}

}  // namespace ringway::daemon
