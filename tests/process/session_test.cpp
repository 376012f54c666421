// A client's session and its handles outlive the supervisor, and whatever its answers come to.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/keeper_connection.hpp"
#include "process/raw_client.hpp"
#include "ringway/ringway.hpp"
#include "shm/region.hpp"
#include "support/daemon_process.hpp"

namespace session_test {

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::open_as;
using ringway::test::RawClient;
using namespace std::chrono_literals;

namespace {

const TopicChoices kSmall{.partitions = 2, .ring_bytes = 64 * 1024};

ino_t inode(const shm::Descriptor& fd) {
  struct stat status{};
  REQUIRE(::fstat(fd.get(), &status) == 0);
  return status.st_ino;
}

/// No descriptor can be opened for as long as it lives.
class TightDescriptorLimit {
 public:
  TightDescriptorLimit() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const shm::Descriptor lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit tight{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  }
  TightDescriptorLimit(const TightDescriptorLimit&) = delete;
  TightDescriptorLimit& operator=(const TightDescriptorLimit&) = delete;
  ~TightDescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("supervisor: after kill -9 the next one adopts the same memory and sessions",
          "[supervisor]") {
  DaemonProcess daemon;
  RawClient first(daemon.socket());
  first.call(control::CreateTopic{.name = "t", .settings = kSmall});
  const auto opened = first.call(open_as(layout::Role::producer, "t"));
  const ino_t board = inode(first.descriptors[0]);
  const ino_t ring = inode(first.descriptors[1]);
  const ino_t chunk = inode(first.descriptors[3]);
  daemon.kill();
  daemon.start();

  RawClient second(daemon.socket(), first.welcome.session);
  CHECK(second.welcome.resumed);
  CHECK(second.welcome.bus == first.welcome.bus);
  CHECK(second.welcome.supervisor_epoch == first.welcome.supervisor_epoch + 1);
  const auto next = second.call(open_as(layout::Role::producer, "t"));
  CHECK(inode(second.descriptors[0]) == board);
  CHECK(inode(second.descriptors[1]) == ring);
  CHECK(next.generation == opened.generation);
  // The old handle still has its slots.
  CHECK(next.chunk == opened.chunk);
  CHECK(next.first_slot == opened.first_slot + 2);
  CHECK(next.producer != opened.producer);
  // The next larger one gets memory of its own, and so tells the first chunk's inode apart.
  CHECK(chunk != ring);
}

TEST_CASE("supervisor: a handle whose reply was lost with the supervisor is closed, not left over",
          "[supervisor]") {
  DaemonProcess daemon;
  RawClient first(daemon.socket());
  first.call(control::CreateTopic{.name = "t", .settings = kSmall});
  // Nobody hears of these two: neither the handles nor the session memory they lie in.
  first.call(open_as(layout::Role::producer, "t"));
  first.call(open_as(layout::Role::consumer, "t", "billing"));
  daemon.kill();
  daemon.start();

  RawClient second(daemon.socket(), first.welcome.session, 0);
  CHECK(second.welcome.resumed);
  const auto opened = second.call(open_as(layout::Role::consumer, "t", "billing"));
  CHECK(opened.new_chunk);
  CHECK(second.descriptors.size() == 4);
  CHECK(second.call(control::GetStatus{}).report["sessions"][0]["handles"] == 1);
  daemon.kill();
  daemon.start();

  // What was heard of stays, and so does its memory.
  RawClient third(daemon.socket(), first.welcome.session, opened.handle);
  CHECK(third.welcome.resumed);
  CHECK_FALSE(third.call(open_as(layout::Role::producer, "t")).new_chunk);
  CHECK(third.refusal(open_as(layout::Role::consumer, "t", "billing")).code() == ErrorCode::busy);
}

TEST_CASE("supervisor: handles newer than one that moved to another ring outlive a restart",
          "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect(), other = daemon.connect();
  bus.create_topic("t", kSmall);
  bus.create_topic("u", kSmall);
  Producer older = bus.producer("t");
  const Consumer newer = bus.consumer("u", {.cursor = "billing"});
  other.alter_topic("t", {.ring_bytes = 128 * 1024});
  while (older.publish("x", {.timeout = 10ms}).status != Status::ok) {
  }
  daemon.kill();
  daemon.start();
  static_cast<void>(bus.settings("t"));  // attached again
  CHECK_THROWS_WITH(other.consumer("u", {.cursor = "billing"}), Catch::Contains("is held by"));
}

TEST_CASE(
    "supervisor: an open whose descriptors did not fit is taken back, and the next one succeeds",
    "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  {
    const TightDescriptorLimit none;
    CHECK_THROWS_WITH(bus.consumer("t", {.cursor = "billing"}),
                      Catch::Contains("the reply was cut short"));
  }
  Consumer consumer = bus.consumer("t", {.cursor = "billing"});
  CHECK(consumer.poll(1, 1ms).status() == Status::timeout);
}

TEST_CASE("supervisor: a handle that was closed while nobody served is not left over",
          "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect(), other = daemon.connect();
  bus.create_topic("t", kSmall);
  const Producer stays = bus.producer("t");
  std::optional<Consumer> closed = bus.consumer("t", {.cursor = "billing"});
  daemon.kill();
  closed.reset();
  daemon.start();
  static_cast<void>(bus.settings("t"));  // attached again
  CHECK_NOTHROW(other.consumer("t", {.cursor = "billing"}));
}

TEST_CASE("supervisor: what was closed right before its bus is not left over", "[supervisor]") {
  // More than it reads before it answers the first, when nobody is there any more.
  constexpr int kMost = 60;
  DaemonProcess daemon(RINGWAYD, fmt::format("[limits]\nhandles_per_topic = {}\n", kMost));
  Bus other = daemon.connect();
  other.create_topic("t", kSmall);
  {
    Bus bus = daemon.connect();
    std::vector<Consumer> consumers;
    for (int i = 0; i < kMost; ++i) consumers.push_back(bus.consumer("t"));
    ::kill(daemon.pid(), SIGSTOP);
    consumers.clear();
  }
  ::kill(daemon.pid(), SIGCONT);
  std::vector<Consumer> all;
  while (all.size() < kMost) {
    try {
      all.push_back(other.consumer("t"));
    } catch (const Error& error) {
      REQUIRE(error.code() == ErrorCode::limit);  // for ever, where one is left over
      std::this_thread::sleep_for(1ms);
    }
  }
  SUCCEED("all are free");
}

TEST_CASE("supervisor: what the one before was closing when it was killed is closed",
          "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect(), other = daemon.connect();
  bus.create_topic("t", kSmall);
  const Consumer holder = bus.consumer("t", {.cursor = "billing"});
  daemon.kill();
  {
    control::KeeperConnection keeper(daemon.runtime_dir());
    keeper.call({{"op", "attach"}, {"state_dir", std::filesystem::canonical(daemon.state_dir())}});
    const std::vector<control::KeptDescriptor> kept = keeper.pages({{"op", "list"}});
    const auto board = std::ranges::find_if(
        kept, [](const auto& one) { return one.name.find(".board.") != one.name.npos; });
    REQUIRE(board != kept.end());
    const std::uint64_t at = layout::board_attachments_offset(*kSmall.partitions);
    const shm::Region memory(board->descriptor.get(), shm::Access::read_write, 0,
                             at + layout::kPageBytes);
    auto& entry = memory.at<layout::Attachment>(at);
    REQUIRE(entry.state.exchange(layout::kReleasing) == layout::kOpen);
  }
  daemon.start();
  for (bool held = true; held;) {
    try {
      static_cast<void>(other.consumer("t", {.cursor = "billing"}));
      held = false;
    } catch (const Error& error) {
      REQUIRE(error.code() == ErrorCode::busy);  // for ever, where it is not closed
      std::this_thread::sleep_for(1ms);
    }
  }
  SUCCEED("it is free");
}

TEST_CASE("supervisor: a handle whose close was lost with the supervisor is not left over",
          "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  bus.create_topic("u", kSmall);
  const Producer stays = bus.producer("t");
  std::optional<Producer> owner = bus.producer("u", {.exclusive = true});
  std::optional<Consumer> reader = bus.consumer("t", {.cursor = "billing"});
  ::kill(daemon.pid(), SIGSTOP);
  owner.reset();
  reader.reset();
  daemon.kill();  // and it has not read of it
  daemon.start();
  CHECK_NOTHROW(bus.consumer("t", {.cursor = "billing"}));
  CHECK_NOTHROW(bus.producer("u", {.exclusive = true}));
}

TEST_CASE("supervisor: a cursor closed while it was stopped is not held against who closed it",
          "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  for (int i = 0; i < 10; ++i) {
    std::optional<Consumer> reader = bus.consumer("t", {.cursor = "billing"});
    ::kill(daemon.pid(), SIGSTOP);
    reader.reset();
    ::kill(daemon.pid(), SIGCONT);
    CHECK_NOTHROW(bus.consumer("t", {.cursor = "billing"}));
  }
}

TEST_CASE("supervisor: a late answer whose descriptors did not fit leaves no cursor held",
          "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = Bus::connect(ConnectOptions{.socket = daemon.socket(), .timeout = 50ms});
  Bus other = daemon.connect();
  other.create_topic("t", kSmall);
  std::optional<Producer> closed = bus.producer("t");
  ::kill(daemon.pid(), SIGSTOP);
  CHECK_THROWS_WITH(bus.consumer("t", {.cursor = "billing"}),
                    Catch::Contains("did not answer within"));
  ::kill(daemon.pid(), SIGCONT);
  static_cast<void>(other.consumer("t"));  // answered behind it
  {
    const TightDescriptorLimit none;
    closed.reset();
  }
  for (int i = 0; i < 100; ++i) {  // on a busy machine it may be late again
    try {
      static_cast<void>(bus.consumer("t", {.cursor = "billing"}));
      break;
    } catch (const Error& error) {
      REQUIRE(error.code() == ErrorCode::timeout);
    }
  }
}

TEST_CASE("supervisor: who asks twice to be resumed is given no slots of memory it never had",
          "[supervisor]") {
  DaemonProcess daemon;
  RawClient first(daemon.socket());
  first.call(control::CreateTopic{.name = "t", .settings = kSmall});
  for (int i = 0; i < 20; ++i) {
    RawClient lost(daemon.socket());
    lost.call(open_as(layout::Role::producer, "t"));  // nobody hears of it
    // Both are there when the supervisor looks: what was not heard of is still being closed for the
    // first when the second is answered.
    ::kill(daemon.pid(), SIGSTOP);
    auto impatient = RawClient::stranger(daemon.socket());
    impatient.send(
        control::encode(
            1, control::Hello{.client = "test", .session = lost.welcome.session, .last_handle = 0}),
        {}, std::chrono::seconds(1));
    std::jthread goes_on([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ::kill(daemon.pid(), SIGCONT);
    });
    RawClient again(daemon.socket(), lost.welcome.session, 0);
    CHECK(again.welcome.resumed);
    CHECK(again.call(open_as(layout::Role::producer, "t")).new_chunk);
  }
}

TEST_CASE("supervisor: a session is resumed by its own process only", "[supervisor]") {
  DaemonProcess daemon;
  RawClient own(daemon.socket());
  own.call(control::CreateTopic{.name = "t", .settings = kSmall});
  own.call(open_as(layout::Role::producer, "t"));
  Child thief([&](Child&) {
    RawClient other(daemon.socket(), own.welcome.session);
    if (other.welcome.resumed) throw std::runtime_error("resumed a stranger's session\n");
  });
  CHECK(thief.join() == 0);
  CHECK(own.call(control::ListTopics{}).topics.size() == 1);  // and was not thrown out
}

}  // namespace session_test
