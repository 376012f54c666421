#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "control/channel.hpp"
#include "control/disposal.hpp"
#include "support/temporary_directory.hpp"

namespace control_disposal_test {

using namespace ringway;
using namespace ringway::control;
using namespace std::chrono_literals;

// Each case would stand still for an hour, and the watchdog end it, if this thread had to close
// what is attached.

namespace {

/// A TCP socket with bytes that nobody takes, which its last closer is to wait for.
class SlowSocket {
 public:
  SlowSocket() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), where, bytes) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    REQUIRE(::getsockname(listener_.get(), where, &bytes) == 0);
    slow_ = shm::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(slow_.get(), where, bytes) == 0);
    deaf_ = shm::Descriptor(::accept(listener_.get(), nullptr, nullptr));
    const std::array<char, 65536> junk{};
    while (::send(slow_.get(), junk.data(), junk.size(), MSG_DONTWAIT) > 0) {
    }
    const linger hour{1, 3600};
    REQUIRE(::setsockopt(slow_.get(), SOL_SOCKET, SO_LINGER, &hour, sizeof hour) == 0);
  }
  ~SlowSocket() {
    const linger none{1, 0};
    if (slow_) ::setsockopt(slow_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }

  /// From here on the message holds the last descriptor of it.
  void attach_to(Channel& channel, std::string_view text) {
    const int files[] = {slow_.get()};
    REQUIRE(channel.send(text, files, 0ms) == Delivery::sent);
    slow_.reset();
  }

 private:
  shm::Descriptor listener_, slow_, deaf_;
};

struct Strangers {
  test::TemporaryDirectory directory;
  Listener listener{directory / "socket", 0600};
  Channel stranger = Channel::connect(directory / "socket");
};

int open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("disposal: a descriptor that takes an hour to close holds nobody up", "[control]") {
  Strangers meeting;
  SlowSocket slow;
  SECTION("in the message that is read") {
    auto channel = meeting.listener.accept();
    slow.attach_to(meeting.stranger, "x");
    Message message;
    CHECK(channel->receive(message, kForever, 0) == Arrival::broken);
    CHECK(message.descriptors.empty());
    channel.reset();
  }
  SECTION("in one that the kernel also names the sender of") {
    auto channel = meeting.listener.accept();
    channel->prove_senders();
    slow.attach_to(meeting.stranger, "x");
    Message message;
    CHECK(channel->receive(message, kForever, 0) == Arrival::broken);
    channel->close();
  }
  SECTION("in a message that nobody reads, behind others") {
    auto channel = meeting.listener.accept();
    REQUIRE(meeting.stranger.send("first", {}, 0ms) == Delivery::sent);
    REQUIRE(::send(meeting.stranger.fd(), nullptr, 0, MSG_DONTWAIT) == 0);
    slow.attach_to(meeting.stranger, "x");
    channel.reset();
  }
  SECTION("by one that has gone since") {
    auto channel = meeting.listener.accept();
    slow.attach_to(meeting.stranger, "x");
    meeting.stranger.close();
    *channel = Channel();
  }
  SECTION("before the connection was accepted") {
    slow.attach_to(meeting.stranger, "x");
    const Listener last = std::move(meeting.listener);
  }
}

TEST_CASE("disposal: of a connection without attachments is plain, and told to the peer",
          "[control]") {
  Strangers meeting;
  auto channel = meeting.listener.accept();
  REQUIRE(meeting.stranger.send("unread", {}, 0ms) == Delivery::sent);
  const int before = open_descriptors();
  channel.reset();
  CHECK(open_descriptors() == before - 1);
  Message message;
  CHECK(meeting.stranger.receive(message, 0ms) == Arrival::closed);
  CHECK(meeting.stranger.send("x", {}, 0ms) == Delivery::closed);
}

TEST_CASE("disposal: a glimpse opens nothing and takes nothing", "[control]") {
  Strangers meeting;
  auto channel = meeting.listener.accept();
  const int files[] = {0, 1, 2};
  REQUIRE(meeting.stranger.send("four", files, 0ms) == Delivery::sent);
  const int before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    const Glimpse seen = glimpse(channel->fd(), false);
    CHECK(seen.bytes == 4);
    CHECK(seen.attached);
  }
  CHECK(open_descriptors() == before);
  Message message;
  CHECK(channel->receive(message, 0ms, 3) == Arrival::message);
  CHECK(message.descriptors.size() == 3);
}

}  // namespace control_disposal_test
