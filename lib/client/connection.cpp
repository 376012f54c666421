#include "client/connection.hpp"

#include <fmt/format.h>
#include <poll.h>

#include "control/peer_proof.hpp"
#include "ringway/error.hpp"

namespace ringway {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds kTellTimeout{100};
}

Connection::Connection(const std::string& socket, milliseconds timeout)
    : socket_(socket), timeout_(timeout), channel_(control::Channel::connect(socket)) {}

void Connection::lost() {
  lost_ = true;
  throw Error(ErrorCode::unavailable, socket_, "the supervisor closed the connection",
              "see that ringwayd runs");
}

control::Envelope Connection::exchange(std::uint64_t id, const std::string& text,
                                       std::vector<shm::Descriptor>& attached, Late late) {
  const auto deadline = steady_clock::now() + timeout_;
  const auto left = [&] {
    return std::max(milliseconds(0),
                    std::chrono::ceil<milliseconds>(deadline - steady_clock::now()));
  };
  const auto too_late = [&] {
    return Error(ErrorCode::timeout, socket_,
                 fmt::format("the supervisor did not answer within {} ms", timeout_.count()),
                 "it may be stopped or overloaded: look at it, or allow a longer timeout");
  };
  if (lost_) lost();
  switch (channel_.send(text, {}, left())) {
    case control::Delivery::sent:
      break;
    case control::Delivery::congested:
      throw too_late();
    case control::Delivery::closed:
      break;  // it may have said why
  }
  for (;;) {
    control::Message message;
    switch (channel_.receive(message, left())) {
      case control::Arrival::message:
        break;
      case control::Arrival::nothing:
        if (late) not_awaited_.emplace(id, std::move(late));
        throw too_late();
      case control::Arrival::closed:
        lost();
      case control::Arrival::broken:
        lost_ = true;  // with what it handed over: greeted anew, the supervisor takes that back
        throw Error(ErrorCode::failed, socket_, "the reply was cut short",
                    "raise the limit of open descriptors (ulimit -n)");
    }
    if (control::answer_challenge(channel_, message, left())) continue;
    control::Envelope envelope = control::open_envelope(message.text);
    // 0: a refusal of the connection as a whole. Others: an answer that nobody waits for.
    if (envelope.id != id && envelope.id != 0) {
      take_in(envelope, message.descriptors);
      continue;
    }
    attached = std::move(message.descriptors);
    return envelope;
  }
}

void Connection::take_in(const control::Envelope& envelope,
                         std::vector<shm::Descriptor>& attached) {
  const auto call = not_awaited_.extract(envelope.id);
  if (!call) return;
  try {
    call.mapped()(envelope, attached);
  } catch (...) {
    lost_ = true;  // as above
    throw;
  }
}

void Connection::take_in_late(milliseconds timeout) {
  for (control::Message message;; timeout = milliseconds(0)) {
    const control::Arrival arrival = channel_.receive(message, timeout);
    if (arrival == control::Arrival::broken) lost_ = true;  // as above
    if (arrival != control::Arrival::message) return;
    if (!not_awaited_.empty()) take_in(control::open_envelope(message.text), message.descriptors);
  }
}

bool Connection::send_only(std::uint64_t id, const std::string& text, Late late) {
  // With them answers to what was told before go, which would hold up the supervisor.
  take_in_late(milliseconds(0));
  if (lost_ || channel_.send(text, {}, kTellTimeout) != control::Delivery::sent) return false;
  not_awaited_.emplace(id, std::move(late));
  return true;
}

bool Connection::hung_up() noexcept {
  if (lost_) return true;
  pollfd entry{channel_.fd(), POLLRDHUP, 0};
  if (::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0) {
    lost_ = true;
  }
  return lost_;
}

}  // namespace ringway
