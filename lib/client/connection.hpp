#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "control/channel.hpp"
#include "control/messages.hpp"
#include "shm/descriptor.hpp"

namespace ringway {

/// What is to be known of a request while it is not answered.
enum class RequestKind : unsigned char {
  repeatable,
  changing,  ///< changes something, and may do so after it was given up
  making,    ///< the same, and takes as long as memory of some GiB takes to be made
};

template <class R>
constexpr RequestKind request_kind() {
  using namespace control;
  if (std::is_same_v<R, CreateTopic> || std::is_same_v<R, AlterTopic>) return RequestKind::making;
  return std::is_same_v<R, DeleteTopic> || std::is_same_v<R, DeleteCursor> ||
                 std::is_same_v<R, TrimTopic> || std::is_same_v<R, ChangeAccess>
             ? RequestKind::changing
             : RequestKind::repeatable;
}

/// One conversation with one supervisor process: a request, its reply. One thread at a time. When
/// the supervisor goes away it stays hung up for good: make a new one.
class Connection {
 public:
  /// @throws Error unavailable | denied when nobody serves at the socket.
  Connection(const std::string& socket, std::chrono::milliseconds timeout);

  /// Gets an answer that nobody waits for, and what came with it. Must not use the connection,
  /// which may be waiting for another one.
  using Late = std::function<void(const control::Envelope&, std::vector<shm::Descriptor>&)>;

  /// Called once in each call that has no answer after a second.
  void when_silent(std::function<void()> say) { say_silent_ = std::move(say); }

  /// Waits beyond the timeout, for sixty of it at most, while the supervisor makes memory for what
  /// was asked: as long as it gets on with what it makes for anybody, all of it by turns.
  /// @throws the supervisor's refusal; timeout, and `late` gets the answer when it comes;
  /// unavailable when it went away, hung_up() then.
  template <class R>
  typename R::Reply call(const R& request, std::vector<shm::Descriptor>& attached, Late late = {}) {
    const std::uint64_t id = ++last_id_;
    const std::string text = control::encode(id, control::Request(request));
    return control::decode_reply<typename R::Reply>(
        exchange(id, text, attached, std::move(late), request_kind<R>()));
  }

  /// Asks and does not wait for the answer, which `late` gets. False: it was not asked.
  template <class R>
  bool tell(const R& request, Late late) {
    const std::uint64_t id = ++last_id_;
    return send_only(id, control::encode(id, control::Request(request)), std::move(late));
  }

  /// Takes in the answers that nobody waits for, as far as they are there; waits so long for
  /// the first.
  void take_in_late(std::chrono::milliseconds timeout);

  /// Whether the supervisor closed its end. Does not block.
  bool hung_up() noexcept;

 private:
  /// Of the memory that the supervisor makes, as it said last.
  struct Making {
    std::uint64_t missing_bytes = 0;
    bool goes_on = false;
  };

  control::Envelope exchange(std::uint64_t id, const std::string& text,
                             std::vector<shm::Descriptor>& attached, Late late,
                             RequestKind kind);
  bool ask_what_is_made(const std::shared_ptr<Making>& making);
  void take_in(const control::Envelope& envelope, std::vector<shm::Descriptor>& attached);
  bool send_only(std::uint64_t id, const std::string& text, Late late);
  [[noreturn]] void lost(RequestKind kind);

  std::string socket_;
  std::chrono::milliseconds timeout_;
  control::Channel channel_;
  std::function<void()> say_silent_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Late> not_awaited_;  // by the request's id
  bool lost_ = false;
};

}  // namespace ringway
