#include "client/connection.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"

namespace client_connection_test {

using namespace ringway;
using namespace std::chrono_literals;

namespace {

/// A supervisor's end: what comes goes to `answer`, in a thread of its own, until the client goes.
class Peer {
 public:
  using Answer = std::function<std::optional<std::string>(const control::Envelope&)>;

  explicit Peer(Answer answer)
      : answer_(std::move(answer)), thread_([this] { serve(); }) {}
  ~Peer() { thread_.join(); }
  std::string socket() const { return listener_.path(); }

 private:
  static constexpr std::chrono::milliseconds kWatchdog{60'000};

  void serve() {
    std::optional<control::Channel> channel;
    while (!(channel = listener_.accept())) std::this_thread::yield();
    for (control::Message message;
         channel->receive(message, kWatchdog) == control::Arrival::message;) {
      const auto text = answer_(control::open_envelope(message.text));
      if (text) static_cast<void>(channel->send(*text, {}, kWatchdog));
    }
  }

  test::TemporaryDirectory directory_;
  control::Listener listener_{directory_ / "control.sock", 0600};
  Answer answer_;
  std::thread thread_;
};

bool is_status(const control::Envelope& asked) {
  return std::holds_alternative<control::GetStatus>(control::decode_request(asked));
}

/// As the supervisor reports it.
std::string missing(std::uint64_t id, std::uint64_t bytes) {
  return control::encode(
      id, control::Reply(control::StatusReport{{{"memory", {{"being_made", bytes}}}}}));
}

}  // namespace

TEST_CASE("connection: who asks for memory waits beyond the timeout while it is made", "[client]") {
  constexpr auto kTimeout = 800ms;
  std::uint64_t asked_for = 0;
  std::uint64_t gigabytes = 12;  // of them one is made from look to look: for three timeouts
  Peer peer([&](const control::Envelope& asked) -> std::optional<std::string> {
    if (!is_status(asked)) {
      asked_for = asked.id;
      return std::nullopt;
    }
    if (--gigabytes > 0) return missing(asked.id, gigabytes << 30);
    return control::encode(asked_for, control::Reply(control::TopicCreated{}));
  });
  {
    Connection connection(peer.socket(), kTimeout);
    std::vector<shm::Descriptor> attached;
    connection.call(control::CreateTopic{.name = "t"}, attached);
  }
  CHECK(gigabytes == 0);
}

TEST_CASE("connection: it does not wait for memory that is no longer made", "[client]") {
  Peer peer([&](const control::Envelope& asked) -> std::optional<std::string> {
    return is_status(asked) ? std::optional(missing(asked.id, 1 << 30)) : std::nullopt;
  });
  Connection connection(peer.socket(), 200ms);
  std::vector<shm::Descriptor> attached;
  try {
    connection.call(control::CreateTopic{.name = "t"}, attached);
    FAIL("nobody has answered");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::timeout);
    CHECK(error.rule() == "the supervisor did not answer within 200 ms: what was asked may be done "
                          "all the same");
  }
}

TEST_CASE("connection: it does not wait for ever while memory is made for others", "[client]") {
  constexpr auto kTimeout = 20ms;
  int looks = 0;
  Peer peer([&](const control::Envelope& asked) -> std::optional<std::string> {
    if (!is_status(asked)) return std::nullopt;
    // Somebody who does wait for ever is refused in the end.
    if (++looks > 1000) return control::encode(0, Error(ErrorCode::limit, "", "", ""));
    return missing(asked.id, static_cast<std::uint64_t>(looks) << 30);
  });
  Connection connection(peer.socket(), kTimeout);
  std::vector<shm::Descriptor> attached;
  try {
    connection.call(control::CreateTopic{.name = "t"}, attached);
    FAIL("nobody has answered");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::timeout);
  }
}

TEST_CASE("connection: what changes nothing is not said to be done all the same", "[client]") {
  Peer peer([](const auto&) { return std::nullopt; });
  Connection connection(peer.socket(), 20ms);
  std::vector<shm::Descriptor> attached;
  try {
    connection.call(control::ListTopics{}, attached);
    FAIL("nobody has answered");
  } catch (const Error& error) {
    CHECK(error.rule() == "the supervisor did not answer within 20 ms");
  }
}

TEST_CASE("connection: after a second without an answer that is said, once", "[client]") {
  std::atomic<int> said{0};
  Peer peer([&](const control::Envelope& asked) {
    while (said == 0) std::this_thread::yield();
    return std::optional(control::encode(asked.id, control::Reply(control::TopicList{})));
  });
  {
    Connection connection(peer.socket(), 60'000ms);
    connection.when_silent([&] { ++said; });
    std::vector<shm::Descriptor> attached;
    connection.call(control::ListTopics{}, attached);
    connection.call(control::ListTopics{}, attached);  // which is answered at once
  }
  CHECK(said == 1);
}

}  // namespace client_connection_test
