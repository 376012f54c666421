#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "unit/client_fixture.hpp"

namespace ringway::client_wait_test {
namespace {

using test::MiniSupervisor;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("interrupt: gets a waiting producer and a waiting consumer out", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t");
  const std::string payload(1000, 'x');
  std::thread first([&] { consumer.interrupt(); });
  CHECK(consumer.wait() == Status::interrupted);
  first.join();
  consumer.interrupt();
  CHECK(consumer.poll(10, forever).status() == Status::interrupted);
  while (producer.try_publish(payload).status == Status::ok) {
  }
  std::thread second([&] { producer.interrupt(); });
  CHECK(producer.publish(payload).status == Status::interrupted);
  second.join();
  CHECK(producer.wait({1000, 0}, Level::committed, 1ms) == Status::timeout);
}

TEST_CASE("wait: the first that waits for a sync rings for all", "[client]") {
  MiniSupervisor supervisor({.ring_bytes = 64 * 1024});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  REQUIRE(producer.publish("x").status == Status::ok);
  layout::BellPartition& bell = supervisor.memory().bell(0);
  supervisor.rings();
  CHECK(producer.wait({0, 0}, Level::durable, 5ms) == Status::timeout);
  CHECK(supervisor.rings() == 1);
  CHECK(bell.sync_wanted.load() == 1);
  CHECK(bell.told_waiters.load() == 1U << 0);
  CHECK(producer.wait({9, 0}, Level::written, 5ms) == Status::timeout);
  CHECK(supervisor.rings() == 0);
  CHECK(bell.told_waiters.load() == (1U << 0 | 1U << (layout::kToldWords + 1)));
  CHECK(bell.progress_waiters.load() == 0);
  bell.sync_wanted = 0;  // heard
  CHECK(producer.wait({0, 0}, Level::durable, 5ms) == Status::timeout);
  CHECK(supervisor.rings() == 1);
}

TEST_CASE("wait: a supervisor that tells not by offsets is waited for at the one word it has",
          "[client]") {
  MiniSupervisor supervisor({.ring_bytes = 64 * 1024});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  REQUIRE(producer.publish("x").status == Status::ok);
  layout::BellPartition& bell = supervisor.memory().bell(0);
  supervisor.memory().board().minor = layout::kToldSinceMinor - 1;
  CHECK(producer.wait({0, 0}, Level::durable, 5ms) == Status::timeout);
  CHECK(bell.progress_waiters.load() == layout::kWaitsForDurable);
  CHECK(producer.wait({0, 0}, Level::written, 5ms) == Status::timeout);
  CHECK(bell.progress_waiters.load() == (layout::kWaitsForDurable | layout::kWaitsForWritten));
  CHECK(bell.told_waiters.load() == 0);
}

TEST_CASE("wait: a sleeping consumer is woken by a publish", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.wait = WaitStrategy::throughput});
  for (int i = 0; i < 200; ++i) {
    std::thread other([&] { CHECK(producer.publish("x").status == Status::ok); });
    CHECK(consumer.poll(1, forever).size() == 1);
    other.join();
  }
  CHECK(producer.wait({199, 0}, Level::committed) == Status::ok);
}

TEST_CASE("wait: a consumer does not sleep over what its topic's state became before", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Consumer consumer = bus.consumer("t");
  auto& state = supervisor.memory().board().state;
  auto& sleepers = supervisor.memory().bell().sleepers;
  auto& seq = supervisor.memory().ring().bell_seq;
  for (int i = 0; i < 500; ++i) {
    state = static_cast<std::uint32_t>(layout::TopicState::serving);
    sleepers = 0;
    std::atomic<bool> started{false}, over{false};
    Status status{};
    std::thread other([&] {
      started = true;
      status = consumer.wait(10s);
      over = true;
    });
    while (!started) std::this_thread::yield();
    // Anywhere between its look at the state and the end of its spinning.
    const auto from = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < from + i % 60 * 1us) {
    }
    state = static_cast<std::uint32_t>(layout::TopicState::deleted);
    seq.fetch_add(1);
    // Who says only after this that it sleeps has the state in sight, and the bell has been rung.
    const bool sleeps = (sleepers & layout::kConsumerSleeps) != 0;
    int woken = 0;
    while (!over) woken += shm::wake_all(seq);
    other.join();
    CHECK(status == Status::closed);
    if (!sleeps) REQUIRE(woken == 0);
  }
}

}  // namespace ringway::client_wait_test
