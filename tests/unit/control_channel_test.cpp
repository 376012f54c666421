#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "control/channel.hpp"
#include "control/peer_proof.hpp"
#include "ringway/error.hpp"
#include "shm/process.hpp"
#include "support/temporary_directory.hpp"

namespace control_channel_test {

using namespace ringway;
using namespace ringway::control;
using namespace std::chrono_literals;

namespace {

using Directory = test::TemporaryDirectory;

int open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

struct Pair {
  Channel left, right;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    left = Channel(shm::Descriptor(ends[0]));
    right = Channel(shm::Descriptor(ends[1]));
  }
};

int exit_status(pid_t child) {
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// As /proc has it: 'S' when it sleeps.
char thread_state(pid_t id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end == std::string::npos ? '?' : line.at(name_end + 2);
}

class Without {
 public:
  explicit Without(const char* features) { ::setenv("RINGWAY_WITHOUT", features, 1); }
  ~Without() { ::unsetenv("RINGWAY_WITHOUT"); }
};

}  // namespace

TEST_CASE("channel: text and descriptors arrive whole, up to the largest", "[control]") {
  Pair pair;
  const shm::Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string text(kMessageBytesMax, 'x');
  const std::vector<int> many(kDescriptorsMax, null.get());
  const int before = open_descriptors();
  REQUIRE(pair.left.send(text, many, 0ms) == Delivery::sent);
  {
    Message message;
    REQUIRE(pair.right.receive(message, kForever) == Arrival::message);
    CHECK(message.text == text);
    REQUIRE(message.descriptors.size() == kDescriptorsMax);
    CHECK((::fcntl(message.descriptors[7].get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(message.sender);
  }
  CHECK(open_descriptors() == before);
  CHECK_THROWS_AS(pair.left.send(text + "x", {}, 0ms), Error);
  CHECK_THROWS_AS(pair.left.send("", {}, 0ms), Error);
  CHECK_THROWS_AS(pair.left.send("x", std::vector<int>(kDescriptorsMax + 1, 0), 0ms), Error);
}

TEST_CASE("channel: nothing to read is nothing, a gone peer is closed", "[control]") {
  Pair pair;
  Message message;
  CHECK(pair.right.receive(message, 0ms) == Arrival::nothing);
  CHECK(pair.right.receive(message, 2ms) == Arrival::nothing);
  REQUIRE(pair.left.send("last words", {}, 0ms) == Delivery::sent);
  pair.left.close();
  CHECK(pair.right.receive(message, kForever) == Arrival::message);
  CHECK(pair.right.receive(message, kForever) == Arrival::closed);
  CHECK(pair.right.send("hello?", {}, 0ms) == Delivery::closed);
}

TEST_CASE("channel: what was sent before a close arrives, whatever its sender left unread",
          "[control]") {
  // The kernel tells of unread messages as an error between any two calls of the receiver.
  constexpr int kRounds = 20'000;
  std::atomic<Pair*> next{nullptr};
  std::jthread sender([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      Pair* const pair = next.exchange(nullptr);
      if (pair == nullptr) {
        std::this_thread::yield();
        continue;
      }
      pair->left.send("last words", {}, 0ms);
      pair->left.close();
    }
  });
  int arrived = 0;
  for (int round = 0; round < kRounds; ++round) {
    Pair pair;
    REQUIRE(pair.right.send("never read", {}, 0ms) == Delivery::sent);
    next = &pair;
    Message message;
    if (pair.right.receive(message, 10s) == Arrival::message) ++arrived;
    CHECK(pair.right.receive(message, 10s) == Arrival::closed);
    while (pair.left) std::this_thread::yield();
  }
  CHECK(arrived == kRounds);
}

TEST_CASE("channel: a peer that does not read never blocks the sender", "[control]") {
  Pair pair;
  int sent = 0;
  while (pair.left.send(std::string(1000, 'x'), {}, 0ms) == Delivery::sent) ++sent;
  CHECK(sent > 0);
  CHECK(pair.left.send("x", {}, 2ms) == Delivery::congested);
  Message message;
  for (; sent > 0; --sent) REQUIRE(pair.right.receive(message, 0ms) == Arrival::message);
  CHECK(pair.left.send("x", {}, 0ms) == Delivery::sent);
}

TEST_CASE("channel: huge, empty and overloaded packets are dropped and leak nothing", "[control]") {
  Pair pair;
  const shm::Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int before = open_descriptors();
  Message message;

  const std::string huge(kMessageBytesMax + 1, '[');
  REQUIRE(::send(pair.left.fd(), huge.data(), huge.size(), 0) > 0);
  CHECK(pair.right.receive(message, 0ms) == Arrival::broken);

  for (const std::size_t allowed : {0, 1, 3, 252}) {
    REQUIRE(pair.left.send("x", std::vector<int>(kDescriptorsMax, null.get()), 0ms) ==
            Delivery::sent);
    CHECK(pair.right.receive(message, 0ms, allowed) == Arrival::broken);
    CHECK(message.descriptors.empty());
    CHECK(open_descriptors() == before);
  }
  // Few enough for the kernel to squeeze them in beside nothing.
  REQUIRE(pair.left.send("x", std::vector<int>{null.get(), null.get()}, 0ms) == Delivery::sent);
  CHECK(pair.right.receive(message, 0ms, 0) == Arrival::broken);
  CHECK(open_descriptors() == before);

  REQUIRE(pair.left.send("sound", {}, 0ms) == Delivery::sent);
  CHECK(pair.right.receive(message, 0ms, 0) == Arrival::message);
  CHECK(message.text == "sound");
}

TEST_CASE("listener: a stale socket is replaced, a live one refused, the path bounded",
          "[control]") {
  const Directory directory;
  const std::string path = directory / "deep/er/control.sock";
  const pid_t child = ::fork();
  if (child == 0) {
    const Listener listener(path, 0666);
    ::kill(::getpid(), SIGKILL);
  }
  exit_status(child);
  REQUIRE(std::filesystem::exists(path));
  CHECK_THROWS_AS(Channel::connect(path), Error);
  {
    Listener listener(path, 0666);
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0666);
    try {
      const Listener second(path, 0666);
      FAIL("two listeners at one path");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::busy);
    }
    CHECK(listener.accept().has_value());  // the second's question
    CHECK_FALSE(listener.accept().has_value());
    Channel client = Channel::connect(path);
    auto server = listener.accept();
    REQUIRE(server);
    const Credentials peer = server->peer();
    CHECK(peer.pid == ::getpid());
    CHECK(peer.uid == ::geteuid());
    CHECK(peer.groups.size() == static_cast<std::size_t>(::getgroups(0, nullptr)));
  }
  CHECK_FALSE(std::filesystem::exists(path));
  try {
    const Listener listener(directory / std::string(108, 'x').c_str(), 0666);
    FAIL("a path too long was taken");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.rule().find("107") != std::string::npos);
  }
  std::filesystem::create_directory(directory / "in-the-way");
  CHECK_THROWS_AS(Listener(directory / "in-the-way", 0666), Error);
  CHECK(std::filesystem::exists(directory / "in-the-way"));
}

TEST_CASE("listener: a dead one's socket is replaced while a child of it still has it",
          "[control]") {
  const Directory directory;
  const std::string path = directory / "control.sock";
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t first = ::fork();
  if (first == 0) {
    const Listener listener(path, 0666);
    if (::fork() == 0) {
      ::close(ends[1]);
      char byte;
      static_cast<void>(!::read(ends[0], &byte, 1));  // until the test is over
      ::_exit(0);
    }
    ::kill(::getpid(), SIGKILL);
  }
  exit_status(first);
  CHECK_NOTHROW(Channel::connect(path));  // nobody would ever answer
  {
    Listener next(path, 0666);
    CHECK_NOTHROW(Channel::connect(path));
    CHECK(next.accept().has_value());
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE(
    "listener: a place that is only taken refuses at once, and is lost to who comes meanwhile",
    "[control]") {
  const Directory directory;
  const std::string path = directory / "control.sock";
  Listener listener(path);
  CHECK(std::filesystem::exists(path));
  try {
    Channel::connect(path);
    FAIL("somebody answered");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unavailable);
  }
  listener.listen(0600);
  Channel client = Channel::connect(path);
  CHECK(listener.accept().has_value());

  Listener late(directory / "other.sock");
  std::filesystem::remove(directory / "other.sock");
  const Listener earlier(directory / "other.sock", 0600);
  try {
    late.listen(0600);
    FAIL("two listeners at one path");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::busy);
  }
}

TEST_CASE("listener: who finds its queue full waits for a place", "[control]") {
  const Directory directory;
  Listener listener(directory / "control.sock", 0600);
  REQUIRE(::listen(listener.fd(), 0) == 0);  // a place for one
  const Channel first = Channel::connect(directory / "control.sock");
  std::atomic<pid_t> id{0};
  std::atomic<bool> over{false};
  std::optional<Channel> second;
  std::string refusal;
  std::thread other([&] {
    id = ::gettid();
    try {
      second = Channel::connect(directory / "control.sock");
    } catch (const Error& error) {
      refusal = error.rule();
    }
    over = true;
  });
  while (id == 0 || (!over && thread_state(id) != 'S')) std::this_thread::yield();
  CHECK(listener.accept().has_value());
  other.join();
  CHECK(refusal == "");
  CHECK(listener.accept().has_value());
}

TEST_CASE("listener: a successor's socket is not removed", "[control]") {
  const Directory directory;
  const std::string path = directory / "control.sock";
  std::optional<Listener> first(std::in_place, path, 0600);
  CHECK(first->in_place());
  std::filesystem::remove(path);
  CHECK_FALSE(first->in_place());
  const Listener second(path, 0600);
  first.reset();
  CHECK(std::filesystem::exists(path));
  CHECK(second.in_place());
}

namespace {

/// Connects from a child process that runs `client`, and hands the server's end over.
template <class Client>
std::pair<Channel, pid_t> connected_child(const Directory& directory, Client client) {
  Listener listener(directory / "proof.sock", 0600);
  const pid_t child = ::fork();
  if (child == 0) {
    Channel channel = Channel::connect(directory / "proof.sock");
    ::_exit(client(channel));
  }
  std::optional<Channel> server;
  while (!server) {
    server = listener.accept();
    ::sched_yield();
  }
  return {std::move(*server), child};
}

/// A client that answers a challenge, then lives until the server closes.
int honest_client(Channel& channel) {
  Message message;
  while (channel.receive(message, kForever) == Arrival::message) {
    if (!answer_challenge(channel, message, kForever)) return 1;
  }
  return 0;
}

}  // namespace

TEST_CASE("peer proof: the pidfd is the client's, by the kernel or by challenge", "[control]") {
  const Directory directory;
  const bool challenged = GENERATE(false, true);
  CAPTURE(challenged);
  const Without without(challenged ? "peerpidfd" : "");
  auto [channel, child] = connected_child(directory, honest_client);
  PeerProof proof(channel);
  if (challenged) REQUIRE(proof.pending());
  if (proof.pending()) {
    Message answer;
    REQUIRE(channel.receive(answer, kForever) == Arrival::message);
    CHECK(answer.sender == child);
    proof.accept(answer);
    CHECK_FALSE(proof.pending());
  }
  CHECK(proof.credentials().pid == child);
  const shm::Descriptor pidfd = proof.take_pidfd();
  CHECK_FALSE(shm::is_dead(pidfd.get()));
  channel.close();
  CHECK(exit_status(child) == 0);
  CHECK(shm::is_dead(pidfd.get()));
}

TEST_CASE("peer proof: a wrong answer and another process's answer prove nothing", "[control]") {
  const Directory directory;
  const Without without("peerpidfd");
  {
    auto [channel, child] = connected_child(directory, [](Channel& mine) {
      Message message;
      mine.receive(message, kForever);
      mine.send(R"({"answer":"something else"})", {}, kForever);
      return mine.receive(message, kForever) == Arrival::closed ? 0 : 1;
    });
    PeerProof proof(channel);
    Message answer;
    REQUIRE(channel.receive(answer, kForever) == Arrival::message);
    CHECK_THROWS_AS(proof.accept(answer), Error);
    CHECK(proof.pending());
    channel.close();
    CHECK(exit_status(child) == 0);
  }
  {
    auto [channel, child] = connected_child(directory, [](Channel& mine) {
      if (::fork() == 0) return honest_client(mine);  // right answer, wrong process
      int status = 0;
      ::wait(&status);
      return 0;
    });
    PeerProof proof(channel);
    Message answer;
    REQUIRE(channel.receive(answer, kForever) == Arrival::message);
    CHECK(answer.sender != child);
    CHECK_THROWS_AS(proof.accept(answer), Error);
    channel.close();
    CHECK(exit_status(child) == 0);
  }
}

}  // namespace control_channel_test
