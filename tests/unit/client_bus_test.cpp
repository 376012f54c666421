#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "unit/client_fixture.hpp"

namespace ringway::client_bus_test {
namespace {

using test::MiniSupervisor;
using test::values;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("fork: the child's handles refuse and may be destroyed, the parent's go on", "[client]") {
  MiniSupervisor supervisor;
  auto bus = std::make_unique<Bus>(supervisor.connect());
  auto producer = std::make_unique<Producer>(bus->producer("t"));
  auto consumer = std::make_unique<Consumer>(bus->consumer("t", {.from = start()}));
  auto claim = std::make_unique<Claim>(producer->claim(5));
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = claim->commit().status == Status::forked &&
                         producer->publish("child").status == Status::forked &&
                         consumer->poll().status() == Status::forked;
    bool threw = false;
    try {
      static_cast<void>(bus->producer("t"));
    } catch (const Error&) {
      threw = true;
    }
    producer.reset();
    bus.reset();
    consumer.reset();
    claim.reset();
    ::_exit(refused && threw ? 0 : 1);
  }
  int result = -1;
  ::waitpid(child, &result, 0);
  CHECK(result == 0);
  std::memcpy(claim->payload().data(), "hello", 5);
  CHECK(claim->commit().status == Status::ok);
  CHECK(values(consumer->poll()) == std::vector<std::string>{"hello"});
  CHECK(supervisor.closed == 0);
}

TEST_CASE("supervisor: clients go on while it is away, and attach again by themselves",
          "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  supervisor.stop();
  CHECK(producer.publish("while it is away").status == Status::ok);
  CHECK(producer.wait({0, 0}, Level::committed) == Status::ok);
  CHECK(consumer.poll().size() == 1);
  CHECK(consumer.wait(60ms) == Status::timeout);
  CHECK(producer.why() == "the supervisor is away");

  SECTION("with the session it had") {
    supervisor.start();
    while (producer.why() == "the supervisor is away")
      CHECK(consumer.wait(60ms) == Status::timeout);
    CHECK(supervisor.opened == 2);
  }
  SECTION("with a new session when the old one is unknown") {
    supervisor.resumes = false;
    supervisor.start();
    while (supervisor.opened == 2) CHECK(consumer.wait(60ms) == Status::timeout);
    const std::string payload(1000, 'x');
    while (supervisor.opened == 3) {
      if (producer.publish(payload, {.timeout = 1ms}).status == Status::timeout) {
        supervisor.hand_back();
      }
    }
    CHECK(supervisor.opened == 4);
  }
  CHECK(consumer.seek(end()) == Status::ok);
  const RecordOffset offset = producer.publish("after").offset;
  const RecordBatch batch = consumer.poll();
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].offset() == offset);
}

TEST_CASE("handles: may be destroyed in any order, and tell the supervisor", "[client]") {
  MiniSupervisor supervisor;
  Producer producer;
  Consumer consumer;
  {
    Bus bus = supervisor.connect();
    producer = bus.producer("t");
    consumer = bus.consumer("t");
  }
  CHECK(producer.publish("x").status == Status::ok);
  CHECK(consumer.poll().size() == 1);
  producer = Producer();
  consumer = Consumer();
  while (supervisor.closed < 2) std::this_thread::yield();
  CHECK(producer.publish("x").status == Status::closed);
  CHECK(consumer.poll().status() == Status::closed);
}

TEST_CASE("bus: what an open that was given up got is not lost, and its handle is closed",
          "[client]") {
  MiniSupervisor supervisor;
  const auto once_in_time = [](auto&& work) {
    for (;;) {  // on a busy machine any call may be late
      try {
        return work();
      } catch (const Error& error) {
        if (error.code() != ErrorCode::timeout) throw;
      }
    }
  };
  Bus bus = once_in_time(
      [&] { return Bus::connect(ConnectOptions{.socket = supervisor.socket(), .timeout = 20ms}); });
  supervisor.deaf = true;
  CHECK_THROWS_WITH(bus.producer("t"), Catch::Contains("did not answer within 20 ms"));
  supervisor.deaf = false;
  Producer producer = once_in_time([&] { return bus.producer("t"); });
  CHECK(producer.publish("x").status == Status::ok);
  // The answer that was given up may come only now.
  while (supervisor.closed + 1 < supervisor.opened) {
    once_in_time([&] { return bus.consumer("t"); });
    std::this_thread::sleep_for(1ms);
  }
  CHECK(producer.publish("x").status == Status::ok);
}

TEST_CASE("bus: a handle closed while another thread's call is not answered is not left over",
          "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  std::optional<Producer> producer = bus.producer("t");
  supervisor.deaf = true;
  std::jthread caller([&] {
    try {
      static_cast<void>(bus.settings("t"));
    } catch (const Error&) {
      // MiniSupervisor knows nothing of settings.
    }
  });
  std::this_thread::sleep_for(20ms);  // the caller waits by then
  producer.reset();
  supervisor.deaf = false;
  caller.join();
  for (int i = 0; i < 2000 && supervisor.closed == 0; ++i) std::this_thread::sleep_for(1ms);
  CHECK(supervisor.closed == 1);
}

}  // namespace ringway::client_bus_test
