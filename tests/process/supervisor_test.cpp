// The supervisor over its real socket, asked by raw control messages.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "process/raw_client.hpp"
#include "ringway/ringway.hpp"
#include "shm/region.hpp"
#include "support/daemon_process.hpp"
#include "support/skip.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::open_as;
using ringway::test::RawClient;

namespace {

const TopicChoices kSmall{.partitions = 2, .ring_bytes = 64 * 1024};

bool can_map_writable(const shm::Descriptor& fd) {
  void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at != MAP_FAILED) ::munmap(at, 4096);
  return at != MAP_FAILED;
}

struct Run {
  int status;
  std::string text;  ///< stdout and stderr
};

Run run(const std::string& arguments) {
  FILE* pipe = ::popen((std::string(RINGWAYD) + " " + arguments + " 2>&1").c_str(), "r");
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text.push_back(static_cast<char>(c));
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

std::size_t directory_entries(const std::filesystem::path& path) {
  std::error_code ignored;
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("supervisor: a topic that was created is listed, described and opened", "[supervisor]") {
  DaemonProcess daemon;
  RawClient client(daemon.socket());
  CHECK_FALSE(client.welcome.resumed);
  REQUIRE(client.descriptors.size() == 1);  // the doorbell
  const auto created = client.call(control::CreateTopic{.name = "orders/eu", .settings = kSmall});
  const auto list = client.call(control::ListTopics{});
  REQUIRE(list.topics.size() == 1);
  CHECK(list.topics[0].name == "orders/eu");
  CHECK(list.topics[0].uuid == created.uuid);
  CHECK(list.topics[0].partitions == 2);
  const auto described = client.call(control::DescribeTopic{.name = "orders/eu"});
  CHECK(described.settings == control::settle(kSmall));

  const auto producer = client.call(open_as(layout::Role::producer, "orders/eu"));
  REQUIRE(client.descriptors.size() == 4);  // board, ring, bell, chunk
  CHECK(producer.new_chunk);
  CHECK(producer.producer != 0);
  CHECK_FALSE(can_map_writable(client.descriptors[0]));
  CHECK(can_map_writable(client.descriptors[1]));
  const auto consumer = client.call(open_as(layout::Role::consumer, "orders/eu"));
  REQUIRE(client.descriptors.size() == 3);
  CHECK_FALSE(consumer.new_chunk);
  CHECK(consumer.chunk == producer.chunk);
  CHECK(consumer.first_slot == producer.first_slot + 2);
  CHECK_FALSE(can_map_writable(client.descriptors[0]));
  CHECK_FALSE(can_map_writable(client.descriptors[1]));
  client.call(control::Close{.handle = producer.handle});
  CHECK(client.call(open_as(layout::Role::producer, "orders/eu")).first_slot ==
        producer.first_slot);
}

TEST_CASE("supervisor: what is said of many partitions fits a message", "[supervisor]") {
  DaemonProcess daemon;
  RawClient client(daemon.socket());
  constexpr std::uint32_t kMany = 3'500;
  const control::TopicChoices many{
      .partitions = kMany, .ring_bytes = 64 * 1024, .segment_bytes = 256 * 1024};
  client.call(control::CreateTopic{.name = "t", .settings = many});
  CHECK(client.call(control::DescribeTopic{.name = "t"}).settings == control::settle(many));
  CHECK(client.call(control::ListTopics{.max = 1'000}).topics.size() == 1);
  const auto consumer = client.call(open_as(layout::Role::consumer, "t", "cursor"));
  client.call(control::Close{.handle = consumer.handle});
  const auto again = client.call(open_as(layout::Role::consumer, "t", "cursor"));
  CHECK(again.cursor_offsets.size() == kMany);
  CHECK(client.call(control::ListCursors{.topic = "t"}).cursors.size() == 1);

  // As earlier versions ask: refused before anything is done, the rest of it works.
  control::TrimTopic trim{.name = "t", .before_offset = UINT64_MAX};
  const Error refused = client.refusal(trim);
  CHECK(refused.code() == ErrorCode::limit);
  CHECK(refused.rule().find("nothing was trimmed") != std::string::npos);
  trim.partition = kMany - 1;
  const control::TopicTrimmed one = client.call(trim);
  REQUIRE(one.partitions.size() == 1);
  CHECK(one.partitions[0].partition == kMany - 1);
  CHECK(one.next == std::nullopt);
  trim.partition.reset();
  trim.max = 256;
  CHECK(client.call(trim).next == 256);
  trim.first = kMany - 16;
  const control::TopicTrimmed last = client.call(trim);
  CHECK(last.partitions.size() == 16);
  CHECK(last.partitions[0].partition == kMany - 16);
  CHECK(last.next == std::nullopt);
  trim.first = kMany - 1;
  trim.max = UINT32_MAX;
  CHECK(client.call(trim).partitions.size() == 1);
}

TEST_CASE("supervisor: clients with long names cost nobody the status", "[supervisor]") {
  DaemonProcess daemon;
  std::vector<control::Channel> strangers;
  for (int i = 0; i < 250; ++i) {
    strangers.push_back(RawClient::stranger(daemon.socket()));
    strangers.back().send(
        control::encode(1, control::Hello{.client = std::string(1000, '\x01')}), {},
        std::chrono::seconds(20));
  }
  RawClient client(daemon.socket());
  const nlohmann::json report = client.call(control::GetStatus{}).report;
  CHECK(report["state"] == "serving");
  const std::size_t shown = report["sessions"].size();
  CHECK(shown > 50);
  CHECK(shown + report["left_out"]["sessions"].get<std::size_t>() == 251);
}

TEST_CASE("supervisor: its threads ask for short slices, so as to be woken soon", "[supervisor]") {
  // The first words of the kernel's sched_attr; `runtime` is the slice of such a thread.
  struct Attributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  };
  const auto slice_ns = [](pid_t thread) {
    Attributes attributes{};
    const bool told = ::syscall(SYS_sched_getattr, thread, &attributes, sizeof attributes, 0) == 0;
    return told ? attributes.runtime : 0;
  };
  const std::uint64_t own = slice_ns(0);
  if (own == 0) SKIP_TEST("before Linux 6.12 there are no slices to ask for");
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  static_cast<void>(bus.producer("t"));  // the flusher has answered, and asked before that
  int prompt = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(daemon.pid()) + "/task")) {
    const std::uint64_t slice = slice_ns(std::stoi(task.path().filename()));
    prompt += slice != 0 && slice < own;
  }
  CHECK(prompt >= 2);  // the control thread and the flusher
}

TEST_CASE("supervisor: refusals name the thing, the rule and the fix", "[supervisor]") {
  DaemonProcess daemon;
  RawClient client(daemon.socket());
  client.call(control::CreateTopic{.name = "t", .settings = kSmall});

  const Error again = client.refusal(control::CreateTopic{.name = "t", .settings = kSmall});
  CHECK(again.code() == ErrorCode::exists);
  const Error missing = client.refusal(open_as(layout::Role::consumer, "nix"));
  CHECK(missing.code() == ErrorCode::not_found);
  CHECK(missing.fix().find("ringway topic create nix") != std::string::npos);
  const Error name = client.refusal(control::CreateTopic{.name = "a//b", .settings = kSmall});
  CHECK(name.code() == ErrorCode::usage);
  const Error large = client.refusal(control::CreateTopic{
      .name = "big", .settings = {.partitions = 10'000, .ring_bytes = std::uint64_t{4} << 30}});
  CHECK(large.code() == ErrorCode::limit);
  CHECK(large.fix().find("limits.memory") != std::string::npos);
  const Error account = client.refusal(
      control::CreateTopic{.name = "a", .settings = {.readers = {"no-such-user-here"}}});
  CHECK(account.thing().find("no-such-user-here") != std::string::npos);
  // Nothing of what was refused is left.
  CHECK(client.call(control::ListTopics{}).topics.size() == 1);
  CHECK(directory_entries(daemon.state_dir() + "/topics") == 1);
}

TEST_CASE("supervisor: a deleted topic leaves no memory, row or file", "[supervisor]") {
  DaemonProcess daemon;
  RawClient client(daemon.socket());
  client.call(control::CreateTopic{.name = "t", .settings = kSmall});
  client.call(open_as(layout::Role::consumer, "t"));
  const shm::Region board(client.descriptors[0].get(), shm::Access::read_only, 0,
                          sizeof(layout::BoardHeader));
  client.call(control::DeleteTopic{.name = "t"});
  CHECK(board.at<const layout::BoardHeader>(0).state.load() ==
        static_cast<std::uint32_t>(layout::TopicState::deleted));
  CHECK(client.call(control::ListTopics{}).topics.empty());
  CHECK(directory_entries(daemon.state_dir() + "/topics") == 0);
  CHECK(client.call(control::GetStatus{}).report["memory"]["used"] == 0);
  client.call(control::CreateTopic{.name = "t", .settings = kSmall});
  CHECK(client.call(open_as(layout::Role::producer, "t")).first_slot == 0);
}

TEST_CASE("supervisor: a second one on the same state directory is refused", "[supervisor]") {
  DaemonProcess daemon;
  const Run second = run("--socket " + daemon.socket() + "2 --runtime-dir " + daemon.runtime_dir() +
                         "2 --state-dir " + daemon.state_dir());
  CHECK(second.status == 1);
  CHECK(second.text.find(std::to_string(daemon.pid())) != std::string::npos);
  RawClient client(daemon.socket());  // the first one serves on
}

TEST_CASE("supervisor: a named cursor has one holder, and its death frees it", "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024});
  Producer producer = bus.producer("t");
  for (int i = 0; i < 10; ++i) REQUIRE(producer.publish("x").status == Status::ok);
  Child holder([&](Child& self) {
    Bus its = daemon.connect();
    Consumer consumer = its.consumer("t", {.from = start(), .cursor = "billing"});
    static_cast<void>(consumer.poll(4, forever));
    consumer.advance();
    if (consumer.commit() != Status::ok) throw std::runtime_error("not committed\n");
    self.reached();
    self.stay();
  });
  REQUIRE(holder.await());
  RawClient client(daemon.socket());
  const Error busy = client.refusal(open_as(layout::Role::consumer, "t", "billing"));
  CHECK(busy.code() == ErrorCode::busy);
  CHECK(busy.rule().find(std::to_string(holder.pid())) != std::string::npos);
  const auto listed = client.call(control::ListCursors{.topic = "t"});
  REQUIRE(listed.cursors.size() == 1);
  CHECK(listed.cursors[0].holder_pid == static_cast<std::uint32_t>(holder.pid()));
  holder.kill();
  const auto opened = client.call(open_as(layout::Role::consumer, "t", "billing"));
  REQUIRE(opened.cursor_offsets.size() == 1);
  CHECK(opened.cursor_offsets[0] == 4);

  // Its position outlives the supervisor, and an orderly stop.
  client.call(control::Close{.handle = opened.handle});
  CHECK(daemon.stop() == 0);
  daemon.start();
  RawClient later(daemon.socket());
  CHECK(later.call(open_as(layout::Role::consumer, "t", "billing")).cursor_offsets.at(0) == 4);
}

TEST_CASE("supervisor: a client that dies behind its request for its own cursor harms nobody",
          "[supervisor]") {
  DaemonProcess daemon;
  daemon.connect().create_topic("t", kSmall);
  Child holder([&](Child&) {
    RawClient client(daemon.socket());
    const auto request = open_as(layout::Role::consumer, "t", "billing");
    client.call(request);
    ::raise(SIGSTOP);
    client.channel().send(control::encode(9, request), {}, std::chrono::seconds(1));
    ::raise(SIGKILL);
  });
  int status = 0;
  REQUIRE(::waitpid(holder.pid(), &status, WUNTRACED) == holder.pid());
  REQUIRE(WIFSTOPPED(status));
  ::kill(daemon.pid(), SIGSTOP);
  REQUIRE(::waitpid(daemon.pid(), &status, WUNTRACED) == daemon.pid());
  ::kill(holder.pid(), SIGCONT);
  holder.join();
  ::kill(daemon.pid(), SIGCONT);  // finds the request, and who made it dead

  RawClient client(daemon.socket());
  client.call(open_as(layout::Role::consumer, "t", "billing"));
  CHECK(daemon.stop() == 0);
}

TEST_CASE("supervisor: a cursor that was deleted starts anew", "[supervisor]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024});
  REQUIRE(bus.producer("t").publish("x").status == Status::ok);
  {
    Consumer consumer = bus.consumer("t", {.from = start(), .cursor = "c"});
    static_cast<void>(consumer.poll(1, forever));
    consumer.advance();
    REQUIRE(consumer.commit() == Status::ok);
  }
  RawClient client(daemon.socket());
  CHECK(client.call(control::ListCursors{.topic = "t"}).cursors.at(0).offsets.at(0) == 1);
  client.call(control::DeleteCursor{.topic = "t", .name = "c"});
  CHECK(client.call(control::ListCursors{.topic = "t"}).cursors.empty());
  const Error gone = client.refusal(control::DeleteCursor{.topic = "t", .name = "c"});
  CHECK(gone.code() == ErrorCode::not_found);
  CHECK(client.call(open_as(layout::Role::consumer, "t", "c")).cursor_offsets.at(0) ==
        std::nullopt);
}

TEST_CASE("supervisor: hostile messages cost their sender the connection at most", "[supervisor]") {
  DaemonProcess daemon;
  RawClient good(daemon.socket());
  good.call(control::CreateTopic{.name = "t", .settings = kSmall});
  const std::string messages[] = {
      "not json",
      "[]",
      "null",
      "{}",
      R"({"id":1})",
      R"({"id":"x","op":"hello"})",
      R"({"id":1,"op":"nonsense"})",
      R"({"id":1,"op":"open","topic":"t","role":"producer","protects":true})",
      R"({"id":1,"op":"hello","protocol":99,"client":"x"})",
      R"({"id":1,"op":"hello","protocol":-1,"client":"x"})",
      R"({"id":1,"op":"hello","protocol":1,"client":7})",
      std::string(100'000, '['),
      std::string("\xff\xfe\x00\x01", 4),
  };
  for (const std::string& message : messages) {
    auto stranger = RawClient::stranger(daemon.socket());
    stranger.send(message, {}, std::chrono::seconds(5));
    control::Message reply;
    while (stranger.receive(reply, std::chrono::seconds(20)) == control::Arrival::message) {
    }
    CHECK(stranger.receive(reply, std::chrono::milliseconds(0)) != control::Arrival::message);
  }
  // After the greeting a bad request is refused and the connection goes on.
  for (const std::string& message : messages) {
    RawClient rude(daemon.socket());
    rude.channel().send(message, {}, std::chrono::seconds(5));
    control::Message reply;
    REQUIRE(rude.channel().receive(reply, std::chrono::seconds(20)) == control::Arrival::message);
    CHECK(rude.call(control::ListTopics{}).topics.size() == 1);
  }
  CHECK(good.call(control::ListTopics{}).topics.size() == 1);
}

TEST_CASE("supervisor: a client that does not read is disconnected, the others are served",
          "[supervisor]") {
  DaemonProcess daemon;
  RawClient good(daemon.socket());
  RawClient deaf(daemon.socket());
  const std::string request = control::encode(1, control::GetStatus{});
  bool closed = false;
  while (!closed) {
    // A deaf client's own requests are no longer read at some point, or it is thrown out.
    const auto sent = deaf.channel().send(request, {}, std::chrono::milliseconds(200));
    if (sent == control::Delivery::congested) break;
    closed = sent == control::Delivery::closed;
  }
  CHECK(good.call(control::ListTopics{}).topics.empty());
}

TEST_CASE("supervisor: another user gets what the rights say, and is told which is missing",
          "[supervisor]") {
  if (::geteuid() != 0) {
    WARN("SKIPPED supervisor-rights: needs root to become another user");
    return;
  }
  DaemonProcess daemon;
  std::filesystem::permissions(std::filesystem::path(daemon.socket()).parent_path(),
                               std::filesystem::perms::all);
  RawClient root(daemon.socket());
  TopicChoices readable = kSmall;
  readable.readers = {"65534"};
  root.call(control::CreateTopic{.name = "readable", .settings = readable});
  root.call(control::CreateTopic{.name = "private", .settings = kSmall});
  Child nobody([&](Child&) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) throw std::runtime_error("setuid\n");
    const auto check = [](bool holds, const char* what) {
      if (!holds) throw std::runtime_error(std::string(what) + "\n");
    };
    RawClient client(daemon.socket());
    const Error unreadable = client.refusal(open_as(layout::Role::consumer, "private"));
    check(unreadable.code() == ErrorCode::denied, "private is denied");
    check(unreadable.thing().find("private") != std::string::npos, "names the topic");
    check(unreadable.rule().find("right to read") != std::string::npos, "names the right");
    client.call(open_as(layout::Role::consumer, "readable"));
    check(!can_map_writable(client.descriptors[1]), "a reader's ring is read-only");
    const std::string again = "/proc/self/fd/" + std::to_string(client.descriptors[1].get());
    check(::open(again.c_str(), O_RDWR | O_CLOEXEC) < 0, "and cannot be reopened writable");
    const Error unwritable = client.refusal(open_as(layout::Role::producer, "readable"));
    check(unwritable.rule().find("right to write") != std::string::npos, "write is missing");
    const Error creation = client.refusal(control::CreateTopic{.name = "mine"});
    check(creation.code() == ErrorCode::denied, "may not create");
    const Error deletion = client.refusal(control::DeleteTopic{.name = "readable"});
    check(deletion.code() == ErrorCode::denied, "may not delete");
    const auto list = client.call(control::ListTopics{});
    check(list.topics.size() == 1 && list.topics[0].name == "readable", "sees its own topics");
  });
  CHECK(nobody.join() == 0);
}

TEST_CASE("supervisor: who asks for a partition or cursor that is not there is told what to do",
          "[supervisor]") {
  DaemonProcess daemon;
  RawClient client(daemon.socket());
  const auto created = client.call(control::CreateTopic{.name = "t", .settings = kSmall});
  const Error error = client.refusal(control::FindSegment{.topic = created.uuid, .partition = 2});
  CHECK(error.rule() == "the topic has 2 partitions");
  CHECK(error.fix() == "count from 0");
  const Error cursor = client.refusal(control::DeleteCursor{.topic = "t", .name = "none"});
  CHECK(cursor.thing() == "cursor 'none'");
  CHECK_THAT(cursor.fix(), Catch::Contains("ringway inspect"));
}

TEST_CASE("supervisor: an orderly stop leaves no socket, process or lock behind", "[supervisor]") {
  DaemonProcess daemon;
  {
    RawClient client(daemon.socket());
    client.call(control::CreateTopic{.name = "t", .settings = kSmall});
  }
  CHECK(daemon.stop() == 0);
  CHECK_FALSE(std::filesystem::exists(daemon.socket()));
  daemon.start();
  RawClient client(daemon.socket());
  const auto opened = client.call(open_as(layout::Role::producer, "t"));
  CHECK(opened.generation == 2);
}

TEST_CASE("ringwayd: accounts that a configuration names are looked up", "[supervisor]") {
  const test::TemporaryDirectory directory;
  const std::string file = directory / "ringway.toml";
  const std::string check = "--check-config --config " + file;
  std::ofstream(file) << "create = [\"*\", \"root\", \"@root\", \"70000\"]\n"
                         "[topics.t]\nreaders = [\"root\",\n  \"@nobody-is-in-it\"]\n";
  const Run unknown = run(check);
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.text, Catch::Contains(file + ":4: topics.\"t\".readers: group "
                                                  "'nobody-is-in-it' does not exist on this host"));
  std::ofstream(file) << "create = [\"nobody-has-it\"]\n";
  for (const std::string& words : {check, "--config " + file}) {
    const Run creator = run(words);
    CHECK(creator.status == 2);
    CHECK_THAT(creator.text, Catch::Contains(file + ":1: create: user 'nobody-has-it'"));
  }
  std::ofstream(file) << "create = [\"*\"]\n[topics.t]\nreaders = [\"root\", \"@70000\"]\n";
  CHECK(run(check).status == 0);
}

TEST_CASE("ringwayd: a wrong configuration is named by file, line and key", "[supervisor]") {
  const test::TemporaryDirectory directory;
  const std::string file = directory / "ringway.toml";
  std::ofstream(file) << "[limits]\ntopix = 3\n";
  const Run wrong = run("--check-config --config " + file);
  CHECK(wrong.status == 2);
  CHECK(wrong.text.find(file + ":2: limits.topix") != std::string::npos);
  CHECK(wrong.text.find("limits.topics") != std::string::npos);
  std::ofstream(file) << "[limits]\ntopics = 3\n";
  const Run right = run("--check-config --config " + file);
  CHECK(right.status == 0);
  CHECK_THAT(right.text, Catch::Contains(file + ": the configuration is right"));
  const std::string missing = directory / "missing.toml", no_file = directory / "";
  for (const auto& [words, rule] :
       {std::pair("--check-config --config " + missing, "cannot be read: "),
        std::pair("--check-config --config " + no_file, "is no regular file; "),
        std::pair("--config " + missing, "cannot be read: ")}) {
    const Run unread = run(words);
    CHECK(unread.status == 2);
    CHECK_THAT(unread.text, Catch::Contains(std::string(": the configuration ") + rule));
  }
  CHECK(run("--no-such-flag").status == 2);
  CHECK(run("--version").text.find("0.1.0") != std::string::npos);
}
