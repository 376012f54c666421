#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/channel.hpp"
#include "control/messages.hpp"
#include "control/peer_proof.hpp"
#include "ringway/error.hpp"

namespace ringway::test {

inline control::Open open_as(layout::Role role, const std::string& topic,
                             std::optional<std::string> cursor = {}) {
  control::Open open;
  open.topic = topic;
  open.role = role;
  open.cursor = std::move(cursor);
  return open;
}

/// The control protocol without the library's help, so that a test can also be rude.
class RawClient {
 public:
  explicit RawClient(const std::string& socket, std::optional<std::uint64_t> session = {},
                     std::optional<std::uint64_t> last_handle = {})
      : channel_(control::Channel::connect(socket)) {
    welcome =
        call(control::Hello{.client = "test", .session = session, .last_handle = last_handle});
  }

  /// A connection that has not said hello.
  static control::Channel stranger(const std::string& socket) {
    return control::Channel::connect(socket);
  }

  /// @throws the Error that came back.
  template <class Request>
  typename Request::Reply call(const Request& request) {
    channel_.send(control::encode(++last_id_, request), {}, kPatience);
    for (;;) {
      control::Message message;
      if (channel_.receive(message, kPatience) != control::Arrival::message) {
        throw Error(ErrorCode::unavailable, "test", "the connection was closed", "");
      }
      if (control::answer_challenge(channel_, message, kPatience)) continue;
      descriptors = std::move(message.descriptors);
      return control::decode_reply<typename Request::Reply>(control::open_envelope(message.text));
    }
  }

  /// The refusal that the request must meet with.
  template <class Request>
  Error refusal(const Request& request) {
    try {
      call(request);
    } catch (const Error& error) {
      return error;
    }
    throw std::logic_error("was not refused");
  }

  control::Channel& channel() { return channel_; }

  control::Welcome welcome;
  std::vector<shm::Descriptor> descriptors;  ///< of the last reply

 private:
  static constexpr std::chrono::milliseconds kPatience{60'000};
  control::Channel channel_;
  std::uint64_t last_id_ = 0;
};

}  // namespace ringway::test
