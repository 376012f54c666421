#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "control/access.hpp"
#include "control/channel.hpp"
#include "control/directories.hpp"
#include "daemon/keeper_client.hpp"
#include "daemon/memory_store.hpp"
#include "ringway/error.hpp"
#include "shm/memory_file.hpp"
#include "shm/process.hpp"
#include "shm/region.hpp"
#include "support/temporary_directory.hpp"

using namespace ringway;
using namespace ringway::daemon;
using test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBytes = 4096;
const nlohmann::json kPlain = {{"kind", "doorbell"}};

/// A bus's directories; whatever keeper serves them is killed at the end.
class Bus {
 public:
  Bus() {
    control::create_directories(runtime(), 0755);
    ::chmod(directory_.path().c_str(), 0755);
  }
  ~Bus() {
    if (const auto pid = keeper_pid()) ::kill(*pid, SIGKILL);
  }

  std::string runtime() const { return directory_ / "run"; }
  std::string state() const { return directory_ / "state"; }
  KeeperClient attach() const { return {KEEPER_PROCESS, runtime(), state()}; }

  std::optional<pid_t> keeper_pid() const {
    try {
      return control::Channel::connect(control::keeper_socket(runtime())).peer().pid;
    } catch (const Error&) {
      return std::nullopt;
    }
  }

 private:
  TemporaryDirectory directory_;
};

void await_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  while (::poll(&entry, 1, -1) != 1) {
  }
}

shm::Descriptor keeper_pidfd(const Bus& bus) {
  auto pidfd = shm::open_pid(bus.keeper_pid().value());
  REQUIRE(pidfd);
  return std::move(*pidfd);
}

shm::Descriptor memory(std::uint64_t content) {
  auto file = shm::create_memory_file("ringway.test", kBytes);
  shm::Region(file.get(), shm::Access::read_write, 0, kBytes).at<std::uint64_t>(0) = content;
  return file;
}

std::uint64_t content(const shm::Descriptor& file) {
  return shm::Region(file.get(), shm::Access::read_only, 0, kBytes).at<const std::uint64_t>(0);
}

/// Runs `body` in a child; true when it returned true there.
template <class Body>
bool in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool held = false;
    try {
      held = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    }
    ::_exit(held ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

template <class Call>
std::optional<ErrorCode> refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("keeper: a successor gets everything back after kill -9 of its supervisor", "[process]") {
  const Bus bus;
  const pid_t supervisor = ::fork();
  if (supervisor == 0) {
    KeeperClient client = bus.attach();
    if (client.found()) ::_exit(1);
    client.put("one", {{"kind", "pidfd"}, {"extra", {1, 2}}}, memory(111).get());
    client.put("two", kPlain, memory(0).get());
    client.put("two", kPlain, memory(222).get());  // replaces
    client.put("three", kPlain, memory(333).get());
    client.drop("three");
    client.drop("never there");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(supervisor, &status, 0);
  REQUIRE(WIFSIGNALED(status));

  KeeperClient successor = bus.attach();
  CHECK(successor.found());
  const auto kept = successor.list();
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].name == "one");
  CHECK(kept[0].meta["extra"] == nlohmann::json{1, 2});
  CHECK(content(kept[0].descriptor) == 111);
  CHECK(kept[1].name == "two");
  CHECK(content(kept[1].descriptor) == 222);
}

TEST_CASE("keeper: what it hands back comes in as many pages as it takes", "[process]") {
  const Bus bus;
  KeeperClient client = bus.attach();
  const shm::Descriptor file = memory(1);
  for (int i = 0; i < 450; ++i) client.put(std::to_string(i), kPlain, file.get());
  const nlohmann::json wordy = {{"kind", "pidfd"}, {"text", std::string(15'000, 'w')}};
  for (int i = 0; i < 30; ++i) client.put("wordy" + std::to_string(i), wordy, file.get());
  const auto kept = client.list();
  CHECK(kept.size() == 480);
  CHECK(std::ranges::is_sorted(kept, {}, &KeptDescriptor::name));
}

TEST_CASE("keeper: it is nobody's child and holds nothing of who started it", "[process]") {
  const Bus bus;
  const shm::Descriptor inherited(::open("/dev/zero", O_RDONLY));  // not close-on-exec
  const KeeperClient client = bus.attach();
  const pid_t pid = bus.keeper_pid().value();
  const std::string proc = "/proc/" + std::to_string(pid);
  CHECK(::getsid(pid) == pid);
  CHECK(fs::read_symlink(proc + "/cwd") == "/");
  for (const char* stdio : {"0", "1", "2"}) {
    CHECK(fs::read_symlink(proc + "/fd/" + stdio) == "/dev/null");
  }
  for (const auto& entry : fs::directory_iterator(proc + "/fd")) {
    CHECK(fs::read_symlink(entry) != "/dev/zero");
  }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child left to wait for
}

TEST_CASE("keeper: it ends with its runtime directory", "[process]") {
  const Bus bus;
  std::optional<KeeperClient> client(bus.attach());
  const shm::Descriptor pidfd = keeper_pidfd(bus);
  if (GENERATE(true, false)) client.reset();
  fs::remove_all(bus.runtime());
  await_readable(pidfd.get());
  CHECK(shm::is_dead(pidfd.get()));
}

TEST_CASE("keeper: it ends with its runtime directory also when its socket went before",
          "[process]") {
  const Bus bus;
  KeeperClient client = bus.attach();
  const shm::Descriptor pidfd = keeper_pidfd(bus);
  fs::remove(control::keeper_socket(bus.runtime()));
  CHECK(client.list().empty());  // it has seen that
  fs::remove_all(bus.runtime());
  await_readable(pidfd.get());
  CHECK(shm::is_dead(pidfd.get()));
}

TEST_CASE("keeper: without its socket it stays for its supervisor only", "[process]") {
  const Bus bus;
  std::optional<KeeperClient> client(bus.attach());
  const shm::Descriptor pidfd = keeper_pidfd(bus);
  fs::remove(control::keeper_socket(bus.runtime()));
  client->put("kept", kPlain, memory(1).get());
  CHECK(client->list().size() == 1);
  client.reset();
  await_readable(pidfd.get());
  CHECK(shm::is_dead(pidfd.get()));
}

TEST_CASE("keeper: it ends when told to and leaves no socket", "[process]") {
  const Bus bus;
  KeeperClient client = bus.attach();
  const shm::Descriptor pidfd = keeper_pidfd(bus);
  client.end();
  await_readable(pidfd.get());
  CHECK_FALSE(fs::exists(control::keeper_socket(bus.runtime())));
  CHECK(refusal([&] { client.list(); }) == ErrorCode::unavailable);
}

TEST_CASE("keeper: its death is seen and a new one takes everything again", "[process]") {
  const Bus bus;
  KeeperClient client = bus.attach();
  ::kill(bus.keeper_pid().value(), SIGKILL);
  await_readable(client.death_fd());
  CHECK(refusal([&] { client.put("x", kPlain, memory(1).get()); }) == ErrorCode::unavailable);
  KeeperClient again = bus.attach();
  CHECK_FALSE(again.found());
  again.put("x", kPlain, memory(7).get());
  CHECK(content(again.list().at(0).descriptor) == 7);
}

TEST_CASE("keeper: one that is dying is waited for, and then another one started", "[process]") {
  const Bus bus;
  // As one that is being killed, it takes connections, answers none, and lets no other have its
  // socket.
  std::optional<control::Listener> dying(std::in_place, control::keeper_socket(bus.runtime()),
                                         0666);
  constexpr int kTurnedAway = 6;  // by every attempt two: its own connection, its new keeper's
  int turned_away = 0;
  std::jthread death([&](const std::stop_token& given_up) {
    while (turned_away < kTurnedAway && !given_up.stop_requested()) {
      pollfd entry{dying->fd(), POLLIN, 0};
      if (::poll(&entry, 1, 10) == 1 && dying->accept()) ++turned_away;
    }
    dying.reset();
  });
  const auto refused = refusal([&] {
    KeeperClient client = bus.attach();
    CHECK_FALSE(client.found());
    client.put("x", kPlain, memory(7).get());
  });
  death.request_stop();
  death.join();
  CHECK(refused == std::nullopt);
  CHECK(turned_away == kTurnedAway);
}

TEST_CASE("keeper: one that stands still is waited for once, and answers when it goes on",
          "[process]") {
  Bus bus;
  const KeeperClient supervisor = bus.attach();
  control::KeeperConnection asker(bus.runtime(), std::chrono::milliseconds(50));
  CHECK(asker.whose().state_dir != "");
  const pid_t keeper = bus.keeper_pid().value();
  ::kill(keeper, SIGSTOP);
  const auto code_of = [&] {
    try {
      static_cast<void>(asker.whose().state_dir);
      return ErrorCode::failed;
    } catch (const Error& error) {
      return error.code();
    }
  };
  CHECK(code_of() == ErrorCode::timeout);
  asker.set_timeout(std::chrono::hours(1));
  CHECK(code_of() == ErrorCode::timeout);
  ::kill(keeper, SIGCONT);
  pollfd entry{asker.fd(), POLLIN, 0};
  REQUIRE(::poll(&entry, 1, 60'000) == 1);
  // The late answer is not taken for the next one.
  CHECK(asker.call({{"op", "where"}}).body.contains("state_dir"));
  ::kill(keeper, SIGSTOP);
  asker.set_timeout(std::chrono::milliseconds(50));
  CHECK(code_of() == ErrorCode::timeout);
  ::kill(keeper, SIGKILL);
  REQUIRE(::poll(&entry, 1, 60'000) == 1);
  CHECK(code_of() == ErrorCode::unavailable);
}

TEST_CASE("keeper: a supervisor of another state directory is refused", "[process]") {
  const Bus bus;
  const KeeperClient client = bus.attach();
  CHECK(refusal([&] { KeeperClient(KEEPER_PROCESS, bus.runtime(), bus.state() + "2"); }) ==
        ErrorCode::busy);
  control::KeeperConnection unattached(bus.runtime());
  CHECK(refusal([&] { unattached.call({{"op", "list"}, {"after", ""}}); }) == ErrorCode::usage);
}

TEST_CASE("keeper: one that cannot start says why", "[process]") {
  const Bus bus;
  const KeeperClient client = bus.attach();
  CHECK_THROWS_WITH(spawn_keeper(KEEPER_PROCESS, bus.runtime(), bus.state()),
                    Catch::Contains("another process serves at this socket"));
  CHECK_THROWS_WITH(spawn_keeper("/nonexistent", bus.runtime(), bus.state()),
                    Catch::Contains("cannot be run"));
}

TEST_CASE("keeper: more descriptors than the limit are refused, naming it", "[process]") {
  const Bus bus;
  CHECK(in_child([&] {
    const rlimit few{700, 700};
    ::setrlimit(RLIMIT_NOFILE, &few);
    KeeperClient client = bus.attach();
    const shm::Descriptor file = memory(1);
    int put = 0;
    try {
      for (; put < 700; ++put) client.put(std::to_string(put), kPlain, file.get());
    } catch (const Error& error) {
      client.drop("0");
      client.put("again", kPlain, file.get());
      return error.code() == ErrorCode::limit && put == 380 &&
             error.rule().find("limit of open files") != std::string::npos;
    }
    return false;
  }));
}

TEST_CASE("keeper: broken requests get an error or a closed door, and nothing leaks", "[process]") {
  const Bus bus;
  KeeperClient client = bus.attach();
  const std::string fds = "/proc/" + std::to_string(bus.keeper_pid().value()) + "/fd";
  const auto count = [&] {
    client.drop("");  // a barrier: the keeper has seen all hang-ups before it
    return std::distance(fs::directory_iterator(fds), fs::directory_iterator());
  };
  const auto before = count();
  const shm::Descriptor file = memory(1);
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string(200'000, '['), std::string("\xff"),
        std::string(R"({"id":1})"), std::string(R"({"id":1,"op":"fly"})"),
        std::string(R"({"id":"1","op":"list"})"), std::string(R"({"id":1,"op":"put","name":7})"),
        std::string(R"({"id":1,"op":"attach","state_dir":{}})"),
        std::string(R"({"id":1,"op":"look","topic":[]})")}) {
    CAPTURE(text.substr(0, 60));
    control::Channel channel = control::Channel::connect(control::keeper_socket(bus.runtime()));
    const std::vector<int> one{file.get()};
    REQUIRE(channel.send(text, one, control::kForever) == control::Delivery::sent);
    control::Message message;
    REQUIRE(channel.receive(message, control::kForever) == control::Arrival::message);
    CHECK_THROWS_AS(control::decode_reply<control::Done>(control::open_envelope(message.text)),
                    Error);
  }
  {
    control::Channel channel = control::Channel::connect(control::keeper_socket(bus.runtime()));
    const std::vector<int> many(control::kDescriptorsMax, file.get());
    REQUIRE(channel.send("{}", many, control::kForever) == control::Delivery::sent);
    control::Message message;
    CHECK(channel.receive(message, control::kForever) == control::Arrival::closed);
  }
  CHECK(refusal([&] { client.put("x", nlohmann::json::array(), file.get()); }) == ErrorCode::usage);
  CHECK(refusal([&] {
          client.put("x", {{"kind", "ring"}, {"topic", "t"}, {"access", 1}}, file.get());
        }) == ErrorCode::usage);
  CHECK(client.list().empty());
  // It may have had its starter's door open when it was counted first.
  CHECK(count() <= before);
}

TEST_CASE("keeper: a look gives readers the ring and board read-only, others nothing",
          "[process]") {
  if (::geteuid() != 0) {
    WARN("needs root to act as other users");
    return;
  }
  const Bus bus;
  KeeperClient client = bus.attach();
  const control::TopicAccess access{
      .owner = 0, .readers = {{60'001}, {}}, .admins = {{60'002}, {}}};
  const auto meta = [&](const char* kind) {
    return nlohmann::json{{"kind", kind}, {"topic", "t"}, {"access", control::to_json(access)}};
  };
  client.put("ring", meta("ring"), memory(1).get());
  client.put("board", meta("board"), memory(2).get());
  client.put("bell", meta("bell"), memory(3).get());
  client.put("session", {{"kind", "session"}}, memory(4).get());
  client.put("session of t", meta("session"), memory(5).get());

  const auto names_seen_by = [&](uid_t uid) {
    return [&bus, uid](std::vector<std::string> wanted) {
      return in_child([&] {
        const gid_t group = 60'000;
        if (::setgroups(1, &group) != 0 || ::setresgid(group, group, group) != 0 ||
            ::setresuid(uid, uid, uid) != 0) {
          return false;
        }
        std::vector<std::string> names;
        control::KeeperConnection connection(bus.runtime());
        try {
          for (const auto& kept : connection.look("t")) {
            names.push_back(kept.name);
            if (content(kept.descriptor) == 0) return false;
            const auto mode = ::fcntl(kept.descriptor.get(), F_GETFL) & O_ACCMODE;
            const std::string self = "/proc/self/fd/" + std::to_string(kept.descriptor.get());
            if (mode != O_RDONLY || ::open(self.c_str(), O_RDWR) >= 0) return false;
          }
        } catch (const Error& error) {
          names.push_back(error.code() == ErrorCode::denied ? "denied" : error.what());
        }
        const auto put = refusal([&] { connection.call({{"op", "list"}, {"after", ""}}); });
        return names == wanted && put == ErrorCode::denied;
      });
    };
  };
  CHECK(names_seen_by(60'001)({"board", "ring"}));
  CHECK(names_seen_by(60'002)({"board", "ring", "session of t"}));
  CHECK(names_seen_by(60'003)({"denied"}));

  control::KeeperConnection root(bus.runtime());
  CHECK(root.look("t").size() == 4);
  CHECK(refusal([&] { root.look("u"); }) == ErrorCode::not_found);
}

TEST_CASE("memory store: it keeps, replaces, drops and lists", "[process]") {
  MemoryStore store;
  store.put("b", kPlain, memory(1).get());
  store.put("b", kPlain, memory(2).get());
  store.put("a", kPlain, memory(3).get());
  store.put("c", kPlain, memory(4).get());
  store.drop("c");
  store.drop("c");
  const auto kept = store.list();
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].name == "a");
  CHECK(content(kept[1].descriptor) == 2);
  CHECK(store.death_fd() == -1);
  store.end();
  CHECK(store.list().empty());
}
