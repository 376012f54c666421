#include "client/connection.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "control/peer_proof.hpp"
#include "control/quantity.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"

namespace ringway {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kTellTimeout{100};
constexpr milliseconds kSilentAfter{1000};
// Of the timeout: so often it is asked whether memory is still being made.
constexpr int kLooksPerTimeout = 4;
// Others may have memory made one after the other for ever.
constexpr int kTimeoutsMax = 60;

/// The error of a call whose answer will not be heard.
Error unanswered(ErrorCode code, const std::string& socket, const std::string& rule,
                 const std::string& fix, RequestKind kind) {
  if (kind == RequestKind::repeatable) return Error(code, socket, rule, fix);
  return Error(code, socket, rule + ": what was asked may be done all the same",
               "look whether it is before you ask again; " + fix);
}

}  // namespace

Connection::Connection(const std::string& socket, milliseconds timeout)
    : socket_(socket), timeout_(timeout), channel_(control::Channel::connect(socket)) {}

void Connection::lost(RequestKind kind) {
  lost_ = true;
  throw unanswered(ErrorCode::unavailable, socket_, "the supervisor closed the connection",
                   "see that ringwayd runs", kind);
}

control::Envelope Connection::exchange(std::uint64_t id, const std::string& text,
                                       std::vector<shm::Descriptor>& attached, Late late,
                                       RequestKind kind) {
  const auto begin = steady_clock::now();
  auto deadline = begin + timeout_;
  const auto until = [](steady_clock::time_point when) {
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(when - steady_clock::now()));
  };
  const auto too_late = [&] {
    return unanswered(ErrorCode::timeout, socket_,
                      fmt::format("the supervisor did not answer within {}",
                                  control::format_duration(timeout_)),
                      "it may be stopped or overloaded: look at it, or allow a longer timeout",
                      kind);
  };
  if (lost_) lost(RequestKind::repeatable);
  switch (channel_.send(text, {}, until(deadline))) {
    case control::Delivery::sent:
      break;
    case control::Delivery::congested:
      throw too_late();
    case control::Delivery::closed:
      break;  // it may have said why
  }
  const auto making = kind == RequestKind::making ? std::make_shared<Making>() : nullptr;
  bool silence_untold = !making && say_silent_ && timeout_ > kSilentAfter;
  for (;;) {
    control::Message message;
    auto wait = until(deadline);
    if (silence_untold) wait = std::min(wait, until(begin + kSilentAfter));
    if (making) wait = std::min(wait, timeout_ / kLooksPerTimeout);
    switch (channel_.receive(message, wait)) {
      case control::Arrival::message:
        break;
      case control::Arrival::nothing:
        if (until(deadline).count() > 0) {
          if (std::exchange(silence_untold, false)) say_silent_();
          if (!making || ask_what_is_made(making)) continue;
        }
        if (late) not_awaited_.emplace(id, std::move(late));
        throw too_late();
      case control::Arrival::closed:
        lost(kind);
      case control::Arrival::broken:
        lost_ = true;  // with what it handed over: greeted anew, the supervisor takes that back
        throw shm::NoDescriptorLeft(socket_, "the reply was cut short");
    }
    if (control::answer_challenge(channel_, message, until(deadline))) continue;
    control::Envelope envelope = control::open_envelope(message.text);
    // 0: a refusal of the connection as a whole. Others: an answer that nobody waits for.
    if (envelope.id != id && envelope.id != 0) {
      take_in(envelope, message.descriptors);
      if (making && std::exchange(making->goes_on, false)) {
        deadline = std::min(steady_clock::now(), begin + (kTimeoutsMax - 1) * timeout_) + timeout_;
      }
      continue;
    }
    attached = std::move(message.descriptors);
    return envelope;
  }
}

/// Does not wait for the answer. False: it cannot be asked.
bool Connection::ask_what_is_made(const std::shared_ptr<Making>& making) {
  const std::uint64_t id = ++last_id_;
  const std::string text = control::encode(id, control::Request(control::GetStatus{}));
  if (channel_.send(text, {}, kTellTimeout) != control::Delivery::sent) return false;
  not_awaited_.emplace(id, [making](const control::Envelope& envelope, const auto&) {
    const auto said = control::decode_reply<control::StatusReport>(envelope).report;
    const auto memory = said.value("memory", nlohmann::json::object());
    const auto missing_bytes = memory.value("being_made", std::uint64_t{0});
    making->goes_on = missing_bytes != making->missing_bytes;
    making->missing_bytes = missing_bytes;
  });
  return true;
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
