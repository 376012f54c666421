#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/channel.hpp"
#include "control/messages.hpp"
#include "shm/descriptor.hpp"

namespace ringway {

/// One conversation with one supervisor process: a request, its reply. One thread at a time. When
/// the supervisor goes away it stays hung up for good: make a new one.
class Connection {
 public:
  /// @throws Error unavailable | denied when nobody serves at the socket.
  Connection(const std::string& socket, std::chrono::milliseconds timeout);

  /// Gets the answer to a call that was given up, and what came with it. Must not use the
  /// connection, which may be waiting for another answer.
  using Late = std::function<void(const control::Envelope&, std::vector<shm::Descriptor>&)>;

  /// @throws the supervisor's refusal; timeout, and `late` gets the answer when it comes;
  /// unavailable when it went away, hung_up() then.
  template <class R>
  typename R::Reply call(const R& request, std::vector<shm::Descriptor>& attached, Late late = {}) {
    return call_within(timeout_, request, attached, std::move(late));
  }
  template <class R>
  typename R::Reply call_within(std::chrono::milliseconds timeout, const R& request,
                                std::vector<shm::Descriptor>& attached, Late late = {}) {
    const std::uint64_t id = ++last_id_;
    const std::string text = control::encode(id, control::Request(request));
    return control::decode_reply<typename R::Reply>(
        exchange(id, text, timeout, attached, std::move(late)));
  }

  /// Asks and does not wait for the answer.
  template <class R>
  void tell(const R& request) {
    send_only(control::encode(++last_id_, control::Request(request)));
  }

  /// Takes in the answers to calls that were given up, as far as they are there.
  void take_in_late();

  /// Whether the supervisor closed its end. Does not block.
  bool hung_up() noexcept;

 private:
  control::Envelope exchange(std::uint64_t id, const std::string& text,
                             std::chrono::milliseconds timeout,
                             std::vector<shm::Descriptor>& attached, Late late);
  void take_in(const control::Envelope& envelope, std::vector<shm::Descriptor>& attached);
  void send_only(const std::string& text);
  [[noreturn]] void lost();

  std::string socket_;
  std::chrono::milliseconds timeout_;
  control::Channel channel_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Late> given_up_;  // by the call's id
  bool lost_ = false;
};

}  // namespace ringway
