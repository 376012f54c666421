// What retention leaves alone for a named cursor, and what it tells a consumer that it overtook.

#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "client/administration.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"

using namespace ringway;
using ringway::test::DaemonProcess;
using namespace std::chrono_literals;

namespace {

const TopicChoices kSmall{
    .ring_bytes = 64 * 1024, .segment_bytes = 256 * 1024, .retention_bytes = 1};

/// Publishes enough for five segments.
void fill(Bus& bus, const std::string& topic) {
  Producer producer = bus.producer(topic);
  RecordOffset last;
  for (int i = 0; i < 1'300; ++i) {
    const auto [status, offset] = producer.publish(std::string(1000, 'x'));
    REQUIRE(status == Status::ok);
    last = offset;
  }
  REQUIRE(producer.wait(last, Level::durable, 30s) == Status::ok);
}

/// The topic has lost something; perhaps it had before the call.
void await_retention(Bus& bus, const std::string& topic) {
  const Consumer consumer = bus.consumer(topic);
  while (consumer.first_offset(0) == 0) std::this_thread::sleep_for(10ms);
}

/// Retention has looked at everything since.
void await_round(Bus& bus) {
  bus.create_topic("clock", kSmall);
  fill(bus, "clock");
  await_retention(bus, "clock");
  bus.delete_topic("clock");
}

}  // namespace

TEST_CASE("retention: a protecting cursor keeps its records from its opening on", "[retention]") {
  DaemonProcess daemon;
  {
    Bus bus = daemon.connect();
    bus.create_topic("t", kSmall);
    Producer producer = bus.producer("t");
    RecordOffset last;
    for (int i = 0; i < 10; ++i) last = producer.publish("read").offset;
    REQUIRE(producer.wait(last, Level::durable, 30s) == Status::ok);
    {
      Consumer consumer = bus.consumer("t", {.from = start(), .cursor = "c"});
      REQUIRE(consumer.poll(5, 10s).size() == 5);
      consumer.advance();
      REQUIRE(consumer.commit() == Status::ok);
    }
    // Opened, and nothing more: no position moves.
    const Consumer consumer = bus.consumer("t", {.cursor = "c", .protects = true});
    daemon.kill();
    daemon.kill_keeper();
  }
  daemon.start();
  Bus bus = daemon.connect();
  fill(bus, "t");
  await_round(bus);
  REQUIRE(bus.consumer("t").first_offset(0) == 0);
  // Who has no opinion on protection leaves it as it is.
  {
    const Consumer consumer = bus.consumer("t", {.cursor = "c"});
  }
  await_round(bus);
  REQUIRE(bus.consumer("t").first_offset(0) == 0);

  Consumer consumer = bus.consumer("t", {.cursor = "c", .protects = false});
  await_retention(bus, "t");
  // It stands in what is gone: told once, it goes on at the oldest record that is kept.
  const std::uint64_t first = consumer.first_offset(0);
  RecordBatch batch = consumer.poll(5, 10s);
  CHECK(batch.status() == Status::not_found);
  const auto gaps = consumer.take_gaps();
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].from == 5);
  CHECK(gaps[0].to == first);
  CHECK(gaps[0].reason == Status::not_found);
  if (batch.empty()) batch = consumer.poll(5, 10s);
  REQUIRE_FALSE(batch.empty());
  CHECK(batch[0].offset() == first);
  CHECK(consumer.poll(5, 10s).status() == Status::ok);
  CHECK(consumer.seek(at_offset(0)) == Status::not_found);
}

TEST_CASE("retention: what a cursor protects stays on a disk that is too full, and that is said",
          "[retention]") {
  const DaemonProcess daemon(RINGWAYD, "disk.keep_free = \"1000000GiB\"");
  Bus bus = daemon.connect();
  const TopicChoices unlimited{.ring_bytes = 64 * 1024, .segment_bytes = 256 * 1024};
  bus.create_topic("kept", unlimited);
  REQUIRE(bus.producer("kept").publish("read").status == Status::ok);
  {
    Consumer consumer = bus.consumer("kept", {.from = start(), .cursor = "c", .protects = true});
    REQUIRE(consumer.poll(1, 10s).size() == 1);
    consumer.advance();
    REQUIRE(consumer.commit() == Status::ok);
  }
  fill(bus, "kept");
  await_round(bus);
  Administration administration(bus);
  const auto said = [&] { return administration.status()["degraded"].dump(); };
  CHECK_THAT(said(), Catch::Contains("topic 'kept' partition 0: the disk is short, and cursor 'c' "
                                     "protects what is old"));
  const nlohmann::json troubles = administration.status()["troubles"];
  const auto held = std::ranges::find_if(
      troubles, [](const auto& trouble) { return trouble["what"] == "retention_held"; });
  REQUIRE(held != troubles.end());
  CHECK((*held)["topic"] == "kept");
  CHECK((*held)["reason"] == "cursor 'c' protects what is old");
  CHECK(bus.consumer("kept").first_offset(0) == 0);

  bus.delete_cursor("kept", "c");
  await_retention(bus, "kept");
  while (said().find("cursor 'c'") != std::string::npos) std::this_thread::sleep_for(10ms);
}

TEST_CASE(
    "retention: what was lost with a ring stays lost behind the next one, without its segments",
    "[retention]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  RecordOffset lost;
  {
    Producer producer = bus.producer("t");
    const auto [status, kept] = producer.publish("kept");
    REQUIRE(status == Status::ok);
    REQUIRE(producer.wait(kept, Level::durable, 30s) == Status::ok);
    ::kill(daemon.pid(), SIGSTOP);
    REQUIRE(::waitpid(daemon.pid(), nullptr, WUNTRACED) == daemon.pid());
    lost = producer.publish("lost").offset;
    daemon.kill_keeper();
    daemon.kill();
  }
  daemon.start();
  bus = daemon.connect();
  Producer producer = bus.producer("t");
  const RecordOffset after = producer.publish("after").offset;
  REQUIRE(producer.wait(after, Level::durable, 30s) == Status::ok);
  CHECK(producer.wait(lost, Level::durable) == Status::not_found);
  fill(bus, "t");
  const Consumer consumer = bus.consumer("t");
  // The segment whose header tells of the gap begins with that record.
  while (consumer.first_offset(0) <= after.value) std::this_thread::sleep_for(10ms);
  bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  // One that never knew the ring before.
  Producer next = bus.producer("t");
  CHECK(next.wait(lost, Level::durable) == Status::not_found);
  CHECK(next.wait(after, Level::durable) == Status::ok);
}
