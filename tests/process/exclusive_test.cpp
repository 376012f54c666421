// Who comes in beside an exclusive producer, and how, on the real daemon with real processes.

#include <signal.h>
#include <stdlib.h>

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

namespace {

Error refusal(Bus& bus, const ProducerOptions& options) {
  try {
    Producer producer = bus.producer("t", options);
  } catch (const Error& error) {
    return error;
  }
  throw std::runtime_error("was not refused");
}

/// Sees whether somebody was asked to share, without producing.
class Watch {
 public:
  explicit Watch(const std::string& socket)
      : bus_(socket, std::chrono::seconds(20), {}),
        handle_(bus_.open(open_as(layout::Role::consumer), BusState::Patience::until_timeout)) {}
  void until_sharing_is_wanted() const {
    while (handle_.memory->board(0).share_wanted.load() == 0) std::this_thread::yield();
  }

 private:
  BusState bus_;
  OpenHandle handle_;
};

}  // namespace

TEST_CASE("exclusive: another producer comes in beside an owner that claims nothing",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus first = daemon.connect(), second = daemon.connect();
  first.create_topic("t", kTwoPartitions);
  Producer owner = first.producer("t", kAlone);
  CHECK(owner.exclusive());
  publish(owner, "alone");
  Producer other = second.producer("t", kBeside);
  CHECK_FALSE(owner.exclusive());
  CHECK_FALSE(other.exclusive());
  publish(other, "beside");
  publish(owner, "swapped");
  publish(other, "beside again");
  CHECK(take_from_start(first, 4) ==
        std::vector<std::string>{"alone", "beside", "swapped", "beside again"});
}

TEST_CASE("exclusive: at full traffic nothing is lost, doubled or reordered by the change",
          "[exclusive]") {
  const bool supervisor_is_restarted = GENERATE(false, true);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  const SharedPage shared;
  const auto produce = [&](Child& self, int p, bool exclusive) {
    const struct Ended {
      const SharedPage& page;
      ~Ended() { page->ended.fetch_add(1); }
    } ended{shared};
    Bus own = daemon.connect();
    Producer producer = own.producer("t", exclusive ? kAlone : kBeside);
    if (producer.exclusive() != exclusive) throw std::runtime_error("not as asked for\n");
    self.reached();
    std::uint64_t i = 0;
    while (!shared->stop.load() || i == 0) {
      const std::string payload = std::to_string(p) + ":" + std::to_string(i++);
      if (producer.publish(payload).status != Status::ok) throw std::runtime_error("refused\n");
    }
    if (producer.exclusive()) throw std::runtime_error("still exclusive\n");
    shared->published.fetch_add(i);
  };
  Child owner([&](Child& self) { produce(self, 0, true); });
  REQUIRE(owner.await());
  std::unique_ptr<Child> second;
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::uint64_t next[2] = {0, 0};
  std::uint64_t offset = 0;
  const auto seen = [&] { return next[0] + next[1]; };
  // Who holds records in place must not wait for the producers: it polls until they have ended.
  while (shared->ended.load() < 2 || seen() < shared->published.load()) {
    for (const RecordView& record : consumer.poll(1000, std::chrono::milliseconds(100))) {
      const std::string value(record.value());
      const int p = value[0] - '0';
      REQUIRE(record.offset() == offset++);
      REQUIRE(value.substr(2) == std::to_string(next[p]));
      ++next[p];
    }
    if (next[0] > 5'000 && !second) {
      if (supervisor_is_restarted) {
        daemon.kill();
        daemon.start();
      }
      second = std::make_unique<Child>([&](Child& self) { produce(self, 1, false); });
      REQUIRE(second->await());
    }
    if (next[1] > 5'000) shared->stop = true;
    if (shared->ended.load() > 0) shared->stop = true;  // the other one fails, too
  }
  CHECK(owner.join() == 0);
  CHECK(second->join() == 0);
  CHECK(seen() == shared->published.load());
}

TEST_CASE("exclusive: an owner killed anywhere in a claim leaves nothing in the next one's way",
          "[exclusive]") {
  const Stands where =
      GENERATE(Stands::between_intent_and_claim, Stands::before_owned, Stands::owned);
  const bool waits_already = GENERATE(false, true);
  const bool supervisor_dies_too = GENERATE(false, true);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  Child owner([&](Child& self) { stand_in_claim(self, daemon.socket(), where); });
  REQUIRE(owner.await());
  std::future<Producer> opened;
  const auto open = [&] {
    opened = std::async(std::launch::async, [&] { return bus.producer("t", kBeside); });
  };
  if (waits_already) {
    const Watch watch(daemon.socket());
    open();
    watch.until_sharing_is_wanted();
  }
  if (supervisor_dies_too) daemon.kill();
  owner.kill();
  if (supervisor_dies_too) daemon.start();
  if (!waits_already) open();
  Producer other = opened.get();
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  CHECK(offset == (where == Stands::between_intent_and_claim ? 1 : 2));
  CHECK(take_from_start(bus, 1)[0] == "behind");
}

TEST_CASE("exclusive: whoever waits for an owner that stands still is told its pid",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  Child owner([&](Child& self) {
    stand_in_claim(self, daemon.socket(), Stands::between_intent_and_claim);
  });
  REQUIRE(owner.await());
  Bus hasty = Bus::connect({.socket = daemon.socket(), .timeout = std::chrono::milliseconds(600)});
  const Error busy = refusal(hasty, kBeside);
  CHECK(busy.code() == ErrorCode::busy);
  CHECK(names(busy, owner.pid()));
  // It claims as it meant to, and others come in behind that.
  auto opened = std::async(std::launch::async, [&] { return bus.producer("t", kBeside); });
  ::kill(owner.pid(), SIGCONT);
  REQUIRE(owner.await());
  Producer other = opened.get();
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  CHECK(offset == 2);
  CHECK(take_from_start(bus, 1)[0] == "behind");
}

TEST_CASE("exclusive: an owner that owns its claim is not waited for", "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  Bus first = daemon.connect();
  Producer owner = first.producer("t", kAlone);
  Claim claim = owner.claim(3);
  Producer other = bus.producer("t", kBeside);
  publish(other, "behind");
  std::memcpy(claim.payload().data(), "old", 3);
  REQUIRE(claim.commit().status == Status::ok);
  CHECK(take_from_start(bus, 2) == std::vector<std::string>{"old", "behind"});
}

TEST_CASE("exclusive: refused while others produce, naming one, and not a moment longer",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  {
    Child other([&](Child& self) {
      Bus own = daemon.connect();
      Producer producer = own.producer("t");
      self.reached();
      self.stay();
    });
    REQUIRE(other.await());
    const Error busy = refusal(bus, kAlone);
    CHECK(busy.code() == ErrorCode::busy);
    CHECK(names(busy, other.pid()));
    other.kill();
    CHECK(bus.producer("t", kAlone).exclusive());  // whoever noticed the death first
  }
  for (int i = 0; i < 50; ++i) {  // what was just closed may be settled yet
    {
      Producer closed = bus.producer("t", i % 2 == 0 ? kBeside : kAlone);
    }
    Producer owner = bus.producer("t", kAlone);
    REQUIRE(owner.exclusive());
    publish(owner, std::to_string(i));
  }
}

TEST_CASE("exclusive: an owner stays one when the supervisor is replaced", "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  Child holder([&](Child& self) {
    Bus own = daemon.connect();
    Producer owner = own.producer("t", kAlone);
    if (owner.publish("alone").status != Status::ok) throw std::runtime_error("refused\n");
    self.reached();
    self.stay();
  });
  REQUIRE(holder.await());
  daemon.kill();
  daemon.start();
  CHECK(names(refusal(bus, kAlone), holder.pid()));
  Producer other = bus.producer("t", kBeside);
  publish(other, "beside");
  daemon.kill();  // and what it has become
  daemon.start();
  Producer third = bus.producer("t", kBeside);
  publish(third, "third");
  CHECK(take_from_start(bus, 3) == std::vector<std::string>{"alone", "beside", "third"});
}

TEST_CASE("exclusive: an orderly stop is clean beside an idle owner, which goes on as one",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kTwoPartitions);
  Producer owner = bus.producer("t", kAlone);
  publish(owner, "before");
  CHECK(daemon.stop() == 0);
  CHECK(owner.try_publish("refused").status == Status::back_pressured);
  daemon.start();
  publish(owner, "after");
  CHECK(owner.exclusive());
  CHECK(take_from_start(bus, 2) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("exclusive: a supervisor without membarrier waits for the owner's next claim",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus first = daemon.connect();
  first.create_topic("t", kTwoPartitions);
  Producer owner = first.producer("t", kAlone);
  publish(owner, "alone");
  daemon.kill();
  ::setenv("RINGWAY_WITHOUT", "membarrier", 1);
  daemon.start();
  ::unsetenv("RINGWAY_WITHOUT");
  Bus hasty = Bus::connect({.socket = daemon.socket(), .timeout = std::chrono::milliseconds(600)});
  CHECK(refusal(hasty, kBeside).code() == ErrorCode::busy);
  Bus second = daemon.connect();
  auto opened = std::async(std::launch::async, [&] { return second.producer("t", kBeside); });
  publish(owner, "shared");
  Producer other = opened.get();
  publish(other, "beside");
  CHECK(take_from_start(first, 3) == std::vector<std::string>{"alone", "shared", "beside"});
}

TEST_CASE("exclusive: without membarrier it claims as others do, and lets them in at once",
          "[exclusive]") {
  ::setenv("RINGWAY_WITHOUT", "membarrier", 1);
  DaemonProcess daemon;
  ::unsetenv("RINGWAY_WITHOUT");
  Bus first = daemon.connect(), second = daemon.connect();
  first.create_topic("t", kTwoPartitions);
  Producer owner = first.producer("t", kAlone);
  CHECK_FALSE(owner.exclusive());
  CHECK(refusal(second, kAlone).code() == ErrorCode::busy);
  Producer other = second.producer("t", kBeside);
  publish(other, "beside");
  publish(owner, "owner");
  CHECK(take_from_start(first, 2) == std::vector<std::string>{"beside", "owner"});
}
