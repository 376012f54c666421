// What ends an exclusive producer's ring, on the real daemon with real processes: another ring, an
// owner that stands still, an orderly stop.

#include <signal.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "process/exclusive_owner.hpp"

using namespace ringway;
using namespace ringway::test;

TEST_CASE("exclusive: an owner keeps the topic to itself through other rings at full traffic",
          "[exclusive]") {
  const bool another_one_comes = GENERATE(false, true);
  constexpr std::uint64_t kRecords = 100'000;
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  const auto produce = [&](Child& self, int p, const ProducerOptions& options) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t", options);
    self.reached();
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      const std::string payload = std::to_string(p) + ":" + std::to_string(i);
      const Status status = producer.publish(payload, {.partition = i % 2}).status;
      if (status != Status::ok) throw std::runtime_error(std::string(to_string(status)) + "\n");
    }
    // Whoever is not exclusive while a ring is being replaced is so again in the next one.
    for (int i = 0; options.exclusive && !another_one_comes && !producer.exclusive(); ++i) {
      if (i == 1000) throw std::runtime_error("exclusive no more\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      static_cast<void>(producer.publish("end", {.partition = 0}));
    }
    if (another_one_comes && producer.exclusive()) throw std::runtime_error("exclusive still\n");
  };
  Child owner([&](Child& self) { produce(self, 0, {.exclusive = true}); });
  REQUIRE(owner.await());
  std::unique_ptr<Child> second;
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::atomic<bool> done{false};
  int altered = 0;
  std::thread operator_thread([&] {
    Bus own = daemon.connect();
    while (!done) {
      own.alter_topic("t", {.ring_bytes = altered % 2 == 0 ? 256 * 1024 : 64 * 1024});
      ++altered;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  std::uint64_t next[2][2] = {{0, 1}, {0, 1}}, expected[2] = {0, 0};
  std::uint64_t seen = 0, wrong = 0;
  int silent = 0;
  const std::uint64_t all = (another_one_comes ? 2 : 1) * kRecords;
  while (seen < all && silent < 20) {
    const RecordBatch batch = consumer.poll(1000, std::chrono::seconds(1));
    silent = batch.empty() ? silent + 1 : 0;
    for (const RecordView& record : batch) {
      const std::string value(record.value());
      if (value == "end") continue;
      const int p = value[0] - '0';
      const std::uint32_t partition = record.partition();
      wrong += record.offset() != expected[partition]++;
      wrong += value.substr(2) != std::to_string(next[p][partition]);
      next[p][partition] += 2;
      ++seen;
    }
    if (another_one_comes && !second && seen > kRecords / 4) {
      second = std::make_unique<Child>([&](Child& self) { produce(self, 1, {}); });
      REQUIRE(second->await());
    }
  }
  done = true;
  operator_thread.join();
  CHECK(seen == all);
  CHECK(wrong == 0);
  CHECK(altered > 0);
  CHECK(consumer.take_gaps().empty());
  CHECK(owner.join() == 0);
  if (second) CHECK(second->join() == 0);
  std::printf("%d rings under %llu records\n", altered, static_cast<unsigned long long>(seen));
}

TEST_CASE("exclusive: an owner that stands still anywhere in a claim is fenced, and told",
          "[exclusive]") {
  const Stands where =
      GENERATE(Stands::between_intent_and_claim, Stands::before_owned, Stands::owned);
  const bool by_hand = GENERATE(false, true);
  const bool supervisor_dies = GENERATE(false, true);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kTwoPartitions;
  choices.when_stopped = WhenStopped::fence;
  choices.stopped_after_ms = 50;
  bus.create_topic("t", choices);
  Child owner([&](Child& self) { stand_in_claim(self, daemon.socket(), where); });
  REQUIRE(owner.await());
  if (by_hand) bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  auto opened = std::async(std::launch::async, [&] { return bus.producer("t", kBeside); });
  if (supervisor_dies) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // on its way, or not yet
    daemon.kill();
    daemon.start();
  }
  Producer other = opened.get();
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  CHECK(take_from_start(bus, 1)[0] == "behind");
  CHECK(offset == 2);  // the claim that was taken away has used up its offset
  ::kill(owner.pid(), SIGCONT);
  CHECK(owner.join() == kFenced);
  publish(other, "and on");
  CHECK(take_from_start(bus, 2) == std::vector<std::string>{"behind", "and on"});
}

TEST_CASE("exclusive: an owner that stands still is killed where that is the policy",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kTwoPartitions;
  choices.when_stopped = WhenStopped::kill;
  choices.stopped_after_ms = 50;
  bus.create_topic("t", choices);
  Child owner([&](Child& self) {
    stand_in_claim(self, daemon.socket(), Stands::between_intent_and_claim);
  });
  REQUIRE(owner.await());
  Producer other = bus.producer("t", kBeside);
  publish(other, "behind");
  CHECK(owner.join() == -1);  // a signal's work
}

TEST_CASE("exclusive: without such a policy it keeps its ring, and goes on when it wakes up",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  Child owner([&](Child& self) {
    stand_in_claim(self, daemon.socket(), Stands::between_intent_and_claim);
  });
  REQUIRE(owner.await());
  try {
    bus.alter_topic("t", {.ring_bytes = 128 * 1024});
    FAIL("altered");
  } catch (const Error& busy) {
    CHECK(busy.code() == ErrorCode::busy);
    CHECK(names(busy, owner.pid()));
  }
  ::kill(owner.pid(), SIGCONT);
  REQUIRE(owner.await());
  bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  Producer other = bus.producer("t", kBeside);
  CHECK(other.publish("behind").offset.value == 2);
}

TEST_CASE("exclusive: orderly stops at an owner's full traffic are clean", "[exclusive]") {
  constexpr int kStops = 5;
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  const SharedPage shared;
  Child owner([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t", {.exclusive = true});
    self.reached();
    std::uint64_t i = 0;
    for (; !shared->stop.load(); ++i) {
      const Status status = producer.publish(std::to_string(i), {.partition = 0}).status;
      if (status != Status::ok) throw std::runtime_error(std::string(to_string(status)) + "\n");
      shared->published = i + 1;
    }
    if (!producer.exclusive()) throw std::runtime_error("exclusive no more\n");
  });
  REQUIRE(owner.await());
  for (int i = 0; i < kStops; ++i) {
    const std::uint64_t before = shared->published;
    while (shared->published < before + 1000) std::this_thread::yield();
    CHECK(daemon.stop() == 0);
    daemon.start();
  }
  shared->stop = true;
  CHECK(owner.join() == 0);
  const std::vector<std::string> values = take_from_start(bus, shared->published);
  std::uint64_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) wrong += values[i] != std::to_string(i);
  CHECK(wrong == 0);
}
