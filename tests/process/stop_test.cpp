// What an orderly stop drains, keeps and hands over, on the real daemon with real processes (G5).

#include <signal.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::publish;
using ringway::test::take;

namespace {

const TopicChoices kOnePartition{.partitions = 1, .ring_bytes = 64 * 1024, .pin_budget_ms = 0};

}  // namespace

TEST_CASE("stop: one that is killed behind its mark in the catalog costs no offset later",
          "[kill]") {
  DaemonProcess daemon;
  std::uint64_t last = 0;
  {
    Bus bus = daemon.connect();
    bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024, .sync_interval_ms = 60'000});
    Producer producer = bus.producer("t");
    publish(producer, "drained");
    REQUIRE(daemon.stop() == 0);
    daemon.start();
    daemon.kill();
    // As if on the way of another stop: the mark is made, the keeper has not been told to end.
    const std::string mark = "python3 -c \"import sqlite3; c = sqlite3.connect('" +
                             daemon.state_dir() +
                             "/catalog.db'); c.execute('UPDATE partitions SET clean = 1, "
                             "clean_offset = 1'); c.commit()\"";
    REQUIRE(std::system(mark.c_str()) == 0);
    daemon.start();
    const auto [status, offset] = producer.publish("seen");
    REQUIRE(status == Status::ok);
    Consumer consumer = bus.consumer("t", {.from = start()});
    CHECK(take(consumer, 2) == std::vector<std::string>{"drained", "seen"});
    last = offset;
    const pid_t keeper = daemon.keeper();
    daemon.kill();
    ::kill(keeper, SIGKILL);
  }
  daemon.start();
  Bus bus = daemon.connect();
  Producer producer = bus.producer("t");
  const auto [status, offset] = producer.publish("new life");
  REQUIRE(status == Status::ok);
  CHECK(offset > last);
}

TEST_CASE("stop: an orderly stop drains, and the same offsets go on in new rings", "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kOnePartition);
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  for (int i = 0; i < 100; ++i) publish(producer, std::to_string(i));
  CHECK(daemon.stop() == 0);
  CHECK(producer.try_publish("refused").status == Status::back_pressured);
  daemon.start();
  publish(producer, "100");
  const std::vector<std::string> values = take(consumer, 101);
  for (int i = 0; i <= 100; ++i) REQUIRE(values[i] == std::to_string(i));
  CHECK(consumer.position(0) == 101);
}

TEST_CASE("stop: a producer that dies in mid-claim during the drain is repaired, the stop is clean",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kOnePartition);
  Producer other = bus.producer("t");
  Child victim([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t");
    Claim claim = producer.claim(100);
    self.reached();
    self.stay();
  });
  REQUIRE(victim.await());
  publish(other, "behind");
  ::kill(daemon.pid(), SIGTERM);
  while (other.try_publish("too late").status == Status::ok ||
         other.why().find("stopping") == std::string::npos) {
  }
  victim.kill();
  CHECK(daemon.stop() == 0);
  do {
    CHECK(other.try_publish("too late").status == Status::back_pressured);
  } while (other.why().find("away") == std::string::npos);  // it looks now and then
  CHECK(other.why() == "the supervisor is away: it was stopping");
  daemon.start();
  Consumer consumer = bus.consumer("t", {.from = start()});
  CHECK(take(consumer, 1)[0] == "behind");
}

TEST_CASE("stop: a cursor position that came too late is not called kept, and is handed over",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kOnePartition);
  Producer producer = bus.producer("t");
  for (int i = 0; i < 10; ++i) publish(producer, std::to_string(i));
  Consumer consumer = bus.consumer("t", {.from = start(), .cursor = "billing"});
  take(consumer, 4);
  consumer.advance();
  CHECK(consumer.commit() == Status::ok);
  CHECK(daemon.stop() == 0);
  take(consumer, 4);
  consumer.advance();
  CHECK(consumer.commit() == Status::disconnected);
  daemon.start();
  take(consumer, 2);
  // The next one has the position as soon as the consumer has found it.
  while (consumer.commit() != Status::ok) {
    CHECK(consumer.poll(1, std::chrono::milliseconds(10)).empty());
  }
  consumer = Consumer();
  Consumer next = bus.consumer("t", {.from = start(), .cursor = "billing"});
  CHECK(next.position(0) == 10);
}

TEST_CASE("stop: where the keeper outlives it, the end that it noted is not counted from later",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024, .sync_interval_ms = 60'000});
  Producer producer = bus.producer("t");
  publish(producer, "before");
  const pid_t keeper = daemon.keeper();
  // It stands still for so long that the supervisor gives up on it, and does not hear of the stop.
  ::kill(keeper, SIGSTOP);
  CHECK_THROWS_AS(bus.create_topic("other", kOnePartition), Error);
  CHECK(daemon.stop() == 0);
  ::kill(keeper, SIGCONT);
  daemon.start();
  RecordOffset last;
  for (int i = 0; i < 10; ++i) {
    const auto [status, offset] = producer.publish("seen, not written");
    REQUIRE(status == Status::ok);
    last = offset;
  }
  REQUIRE(producer.wait(last, Level::committed) == Status::ok);
  REQUIRE(daemon.keeper() == keeper);
  daemon.kill();
  daemon.kill_keeper();
  daemon.start();
  Bus fresh = daemon.connect();
  Producer other = fresh.producer("t");
  const auto [status, offset] = other.publish("after");
  REQUIRE(status == Status::ok);
  CHECK(offset > last);
}

TEST_CASE("stop: it is clean and durable whenever the topic syncs", "[kill]") {
  const SyncPolicy policy =
      GENERATE(SyncPolicy::every_batch, SyncPolicy::interval, SyncPolicy::never);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024, .sync = policy});
  Producer producer = bus.producer("t");
  for (int i = 0; i < 100; ++i) publish(producer, std::to_string(i));
  CHECK(daemon.stop() == 0);
}

TEST_CASE("stop: it is clean while topics are getting other rings", "[kill]") {
  DaemonProcess daemon;
  const std::vector<std::string> topics = {"a", "b", "c"};
  {
    Bus bus = daemon.connect();
    for (const std::string& topic : topics) bus.create_topic(topic, kOnePartition);
  }
  for (int stops = 1; stops <= 20; ++stops) {
    std::vector<std::unique_ptr<Child>> altering;
    for (const std::string& topic : topics) {
      altering.push_back(std::make_unique<Child>([&](Child& self) {
        Bus own = daemon.connect();
        Producer producer = own.producer(topic);
        for (std::uint64_t i = 0;; ++i) {
          publish(producer, std::to_string(stops));
          own.alter_topic(topic, {.ring_bytes = (i % 2 + 1) * 64 * 1024});
          self.reached();
        }
      }));
    }
    for (auto& child : altering) REQUIRE(child->await());
    for (auto& child : altering) child->kill();
    CAPTURE(stops);
    CHECK(daemon.stop() == 0);
    daemon.start();
  }
}
