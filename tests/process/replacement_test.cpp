// A topic's ring is replaced while it is in use: for another size, for a producer that stands still
// in mid-claim, for records held in place too long (G1, G3, G4, G6).

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ringway/ringway.hpp"
#include "support/command_line.hpp"
#include "support/cue.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::Cue;
using ringway::test::DaemonProcess;
using ringway::test::publish;
using ringway::test::said;
using ringway::test::take;
using namespace std::chrono_literals;

namespace {

constexpr TopicChoices kFencing{
    .ring_bytes = 64 * 1024, .when_stopped = WhenStopped::fence, .stopped_after_ms = 50};

/// A producer that stops itself in mid-claim, and after SIGCONT ends with the status of its commit.
struct Stopped {
  Stopped(DaemonProcess& daemon, const std::string& topic, std::string_view before = "")
      : child([&](Child& self) {
          Bus own = daemon.connect();
          Producer producer = own.producer(topic);
          if (!before.empty()) static_cast<void>(producer.publish(before));
          Claim claim = producer.claim(100);
          claim.payload()[0] = std::byte{'x'};
          self.reached();
          ::raise(SIGSTOP);
          // It does not know yet, and writes where it may not any more.
          for (std::byte& byte : claim.payload()) byte = std::byte{0xff};
          const Status late = claim.commit().status;
          const Status next = producer.publish("alive again").status;
          ::_exit(late == Status::fenced && next == Status::ok ? 42 : static_cast<int>(late));
        }) {
    REQUIRE(child.await());
    while (state() != 'T') std::this_thread::sleep_for(1ms);
  }
  char state() const {
    std::string line(4096, '\0');
    std::FILE* file = std::fopen(("/proc/" + std::to_string(child.pid()) + "/stat").c_str(), "r");
    line.resize(std::fread(line.data(), 1, line.size(), file));
    std::fclose(file);
    return line[line.rfind(')') + 2];
  }
  int wake_up() {
    ::kill(child.pid(), SIGCONT);
    return child.join();
  }
  Child child;
};

}  // namespace

TEST_CASE("fence: who stood still in mid-claim learns of it, and nobody else has lost anything",
          "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kFencing;
  SECTION("with a log") {}
  SECTION("without one, blocking") {
    choices.persist = false;
  }
  SECTION("without one, overwriting") {
    choices.persist = false;
    choices.when_full = WhenFull::overwrite;
  }
  bus.create_topic("t", choices);
  Producer other = bus.producer("t");
  Consumer live = bus.consumer("t", {.from = start()});
  publish(other, "first");
  Stopped stopped(daemon, "t", "second");
  publish(other, "behind the claim");
  CHECK(take(live, 3) == std::vector<std::string>{"first", "second", "behind the claim"});
  // The claim has used up its offset.
  CHECK(live.position(0) == 4);
  publish(other, "fourth");
  CHECK(take(live, 1)[0] == "fourth");
  CHECK(stopped.wake_up() == 42);
  CHECK(take(live, 1)[0] == "alive again");
  if (!choices.persist.value_or(true)) return;
  Consumer late = bus.consumer("t", {.from = start()});
  CHECK(take(late, 5) ==
        std::vector<std::string>{"first", "second", "behind the claim", "fourth", "alive again"});
  CHECK(other.wait({5, 0}, Level::durable, 10s) == Status::ok);
}

TEST_CASE("fence: who waits behind such a claim goes on in the next ring", "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kFencing);
  Producer other = bus.producer("t");
  const Level level = GENERATE(Level::committed, Level::durable);
  Stopped stopped(daemon, "t");
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  // It holds the old ring until it waits.
  CHECK(other.wait(offset, level, 20s) == Status::ok);
  CHECK(stopped.wake_up() == 42);
}

TEST_CASE("fence: several at once, in one partition and in others", "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kFencing;
  choices.partitions = 3;
  bus.create_topic("t", choices);
  Producer other = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  Stopped one(daemon, "t"), two(daemon, "t"), three(daemon, "t");
  for (std::uint32_t p = 0; p < 3; ++p) {
    REQUIRE(other.publish("behind", {.partition = p}).status == Status::ok);
  }
  CHECK(take(consumer, 3) == std::vector<std::string>(3, "behind"));
  CHECK(one.wake_up() == 42);
  CHECK(two.wake_up() == 42);
  CHECK(three.wake_up() == 42);
  CHECK(take(consumer, 3) == std::vector<std::string>(3, "alive again"));
}

TEST_CASE("fence: the policy `kill` ends the process instead, and its claim is repaired",
          "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kFencing;
  choices.when_stopped = WhenStopped::kill;
  bus.create_topic("t", choices);
  Producer other = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  Stopped stopped(daemon, "t");
  publish(other, "behind");
  CHECK(take(consumer, 1)[0] == "behind");
  CHECK(stopped.child.join() == -1);  // a signal's work
  CHECK_THAT(said("status", daemon.socket()).text,
             Catch::Contains("Killed by policy") && !Catch::Contains(" 0 producers"));
}

TEST_CASE("fence: by default it waits, says who it is, and loses nothing", "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024, .stopped_after_ms = 50});
  Producer other = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  Stopped stopped(daemon, "t");
  publish(other, "behind");
  CHECK(consumer.poll(1, 300ms).empty());
  // Whoever asks is told who is in the way.
  const std::string culprit = "stopped_claim by pid " + std::to_string(stopped.child.pid());
  CHECK_THAT(said("status", daemon.socket()).text, Catch::Contains(culprit));
  CHECK_THAT(said("inspect t", daemon.socket()).text,
             Catch::Contains(std::to_string(stopped.child.pid())));
  // To alter it does not take the claim away either. While that is tried there is a second ring,
  // and the culprit is seen in the first.
  auto altered = std::async(std::launch::async, [&] {
    Bus own = daemon.connect();
    own.alter_topic("t", {.ring_bytes = 128 * 1024});
  });
  do {
    // Through the keeper, and by its UUID through the processes that hold it.
    for (const std::string& topic : {std::string("t"), bus.topics()[0].uuid}) {
      const auto [text, status] = said("inspect " + topic, daemon.socket());
      CHECK(status == 0);
      CHECK_THAT(text, Catch::Contains(std::to_string(stopped.child.pid())));
    }
  } while (altered.wait_for(0s) != std::future_status::ready);
  try {
    altered.get();
    FAIL("altered");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::busy);
    CHECK(std::string(error.what()).find(std::to_string(stopped.child.pid())) != std::string::npos);
  }
  CHECK(stopped.wake_up() == static_cast<int>(Status::ok));
  CHECK(take(consumer, 3)[1] == "behind");
  // Only a policy that was chosen does, also when it is chosen now.
  Stopped again(daemon, "t");
  bus.alter_topic("t", {.when_stopped = WhenStopped::fence});
  CHECK(again.wake_up() == 42);
}

TEST_CASE("fence: a claim that was repaired behind an open one has no offset yet",
          "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024});
  Stopped stopped(daemon, "t");
  Child behind([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t");
    const Claim claim = producer.claim(100);
    self.reached();
    self.stay();
  });
  REQUIRE(behind.await());
  behind.kill();
  std::string text;
  do {
    text = said("inspect t --output json", daemon.socket()).text;
  } while (text.find("\"repairs\": 1") == std::string::npos);
  CHECK_THAT(text, Catch::Contains("\"offset\": null"));
  CHECK_THAT(text, !Catch::Contains(std::to_string(~std::uint64_t{0})));
  CHECK(stopped.wake_up() == static_cast<int>(Status::ok));
}

TEST_CASE("alter: another ring size under full traffic loses, doubles and reorders nothing",
          "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices{.partitions = 2, .ring_bytes = 64 * 1024};
  SECTION("with a log") {}
  SECTION("without one, blocking") {
    choices.persist = false;
  }
  bus.create_topic("t", choices);
  constexpr std::uint64_t kRecords = 150'000;
  std::vector<std::unique_ptr<Child>> producers;
  const Cue cue;
  for (std::uint32_t p = 0; p < 2; ++p) {
    producers.push_back(std::make_unique<Child>([&, p](Child& self) {
      Bus own = daemon.connect();
      Producer producer = own.producer("t");
      self.reached();
      cue.await();
      for (std::uint64_t i = 0; i < kRecords; ++i) {
        const std::string payload = std::to_string(p) + ":" + std::to_string(i);
        const Status status = producer.publish(payload, {.partition = i % 2}).status;
        if (status != Status::ok) throw std::runtime_error(std::string(to_string(status)) + "\n");
      }
    }));
  }
  for (auto& producer : producers) REQUIRE(producer->await());
  Consumer consumer = bus.consumer("t", {.from = start(), .cursor = "c"});
  for (std::size_t i = 0; i < producers.size(); ++i) cue.give();
  std::atomic<bool> done{false};
  int altered = 0;
  std::thread operator_thread([&] {
    Bus own = daemon.connect();
    while (!done) {
      try {
        own.alter_topic("t", {.ring_bytes = altered % 2 == 0 ? 256 * 1024 : 64 * 1024});
        ++altered;
      } catch (const Error& error) {
        // Without a log the consumer may still be reading the ring before.
        if (error.code() != ErrorCode::busy) std::printf("%s\n", error.what());
      }
      std::this_thread::sleep_for(20ms);
    }
  });
  std::uint64_t next[2][2] = {{0, 1}, {0, 1}};
  std::uint64_t expected[2] = {0, 0};
  std::uint64_t seen = 0, wrong = 0;
  int silent = 0;
  while (seen < 2 * kRecords && silent < 10) {
    const RecordBatch batch = consumer.poll(1000, 1s);
    silent = batch.empty() ? silent + 1 : 0;
    for (const RecordView& record : batch) {
      const std::string value(record.value());
      const int producer = value[0] - '0';
      const std::uint32_t partition = record.partition();
      wrong += record.offset() != expected[partition]++;
      wrong += value.substr(2) != std::to_string(next[producer][partition]);
      next[producer][partition] += 2;
      ++seen;
    }
    static_cast<void>(consumer.commit());
  }
  done = true;
  operator_thread.join();
  CHECK(seen == 2 * kRecords);
  CHECK(wrong == 0);
  CHECK(consumer.take_gaps().empty());
  CHECK(consumer.poll(1).empty());
  CHECK(altered > 0);
  std::printf("%d rings under %llu records\n", altered, static_cast<unsigned long long>(seen));
  for (auto& producer : producers) CHECK(producer->join() == 0);
}

TEST_CASE("pin: who holds records in place beyond the budget keeps them, and producers go on",
          "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024, .pin_budget_ms = 50});
  Producer producer = bus.producer("t");
  publish(producer, "held");
  Consumer holder = bus.consumer("t", {.from = start()});
  const RecordBatch held = holder.poll(1, 1s);
  REQUIRE(held.size() == 1);
  for (int i = 0; i < 1000; ++i) publish(producer, std::to_string(i) + std::string(1000, '.'));
  CHECK(held[0].value() == "held");
  // Afterwards it reads on as if nothing had been.
  const std::vector<std::string> rest = take(holder, 1000);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(rest[static_cast<std::size_t>(i)].substr(
                0, rest[static_cast<std::size_t>(i)].find('.')) == std::to_string(i));
  }
  CHECK(holder.take_gaps().empty());
}

TEST_CASE("alter: of replaced rings those count that somebody has mapped", "[replacement]") {
  constexpr std::uint64_t kMiB = 1 << 20;
  DaemonProcess daemon(RINGWAYD, "[limits]\nmemory = \"4MiB\"\n");  // of such rings: three
  Bus bus = daemon.connect();
  bus.create_topic("t", {.ring_bytes = kMiB});
  SECTION("not those behind the one that an idle handle has") {
    Producer idle = bus.producer("t");
    publish(idle, "x");
    for (int i = 0; i < 5; ++i) CHECK_NOTHROW(bus.alter_topic("t", {.ring_bytes = kMiB}));
  }
  SECTION("not one that its last holder has closed") {
    {
      Consumer consumer = bus.consumer("t", {.cursor = "c"});  // whose end is waited for
      bus.alter_topic("t", {.ring_bytes = kMiB});
    }
    CHECK_NOTHROW(bus.create_topic("u", {.ring_bytes = 2 * kMiB}));
  }
  SECTION("not one that nobody had open") {
    bus.alter_topic("t", {.ring_bytes = kMiB});
    CHECK_NOTHROW(bus.create_topic("u", {.ring_bytes = 2 * kMiB}));
  }
}

TEST_CASE("fence: the supervisor dies on the way, and the next one ends what was begun",
          "[replacement]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kFencing;
  choices.stopped_after_ms = 10;
  bus.create_topic("t", choices);
  Producer other = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  for (int i = 0; i < 12; ++i) {
    Stopped stopped(daemon, "t");
    publish(other, "behind " + std::to_string(i));
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * i));
    daemon.kill();
    daemon.start();
    CHECK(take(consumer, 1)[0] == "behind " + std::to_string(i));
    CHECK(stopped.wake_up() == 42);
    CHECK(take(consumer, 1)[0] == "alive again");
  }
  CHECK(consumer.take_gaps().empty());
  Consumer late = bus.consumer("t", {.from = start()});
  CHECK(take(late, 24).back() == "alive again");
}
