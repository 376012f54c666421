// What kill -9 leaves behind, on the real daemon with real processes (G3, G5, G6).

#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "control/keeper_connection.hpp"
#include "process/raw_client.hpp"
#include "ringway/ringway.hpp"
#include "shm/memory_name.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::publish;
using ringway::test::RawClient;
using ringway::test::take;
using Clock = std::chrono::steady_clock;

namespace {

const TopicChoices kSmall{.partitions = 1, .ring_bytes = 64 * 1024, .pin_budget_ms = 0};

}  // namespace

TEST_CASE("kill: a producer between claim and commit delays the others for moments only",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Consumer consumer = bus.consumer("t", {.from = start()});
  Producer other = bus.producer("t");
  std::vector<double> times_ms;
  for (int i = 0; i < 20; ++i) {
    Child victim([&](Child& self) {
      Bus own = daemon.connect();
      Producer producer = own.producer("t");
      if (i % 2 == 0) {
        Claim claim = producer.claim(100);
        claim.payload()[0] = std::byte{'x'};
        self.reached();
        self.stay();
      } else {
        Batch batch = producer.claim_batch(5, 100);
        batch.append_copy("never seen");
        self.reached();
        self.stay();
      }
    });
    REQUIRE(victim.await());
    publish(other, "behind " + std::to_string(i));
    CHECK(consumer.poll().empty());
    const auto killed_at = Clock::now();
    victim.kill();
    CHECK(take(consumer, 1)[0] == "behind " + std::to_string(i));
    times_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - killed_at).count());
  }
  std::sort(times_ms.begin(), times_ms.end());
  std::printf(
      "kill -9 of a producer in mid-claim -> next record visible: median %.3f ms, max %.3f "
      "ms of %zu\n",
      times_ms[times_ms.size() / 2], times_ms.back(), times_ms.size());
}

TEST_CASE("kill: a consumer that holds records in place is named, and frees them by dying",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  publish(producer, "first");
  Child victim([&](Child& self) {
    Bus own = daemon.connect();
    Consumer consumer = own.consumer("t", {.from = start()});
    if (consumer.poll(1, forever).size() == 1) self.reached();
    self.stay();
  });
  REQUIRE(victim.await());
  while (producer.try_publish(std::string(1000, 'x')).status == Status::ok) {
  }
  while (producer.why().find(std::to_string(victim.pid())) == std::string::npos) {
    REQUIRE(producer.publish(std::string(1000, 'x'), {.timeout = std::chrono::milliseconds(50)})
                .status != Status::closed);
  }
  victim.kill();
  for (int i = 0; i < 200; ++i) publish(producer, std::string(1000, 'y'));
}

TEST_CASE("kill: the supervisor dies under traffic; nobody notices but the disk", "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  constexpr std::uint64_t kRecords = 200'000;
  std::vector<std::unique_ptr<Child>> producers;
  for (int p = 0; p < 2; ++p) {
    producers.push_back(std::make_unique<Child>([&, p](Child& self) {
      Bus own = daemon.connect();
      Producer producer = own.producer("t");
      self.reached();
      for (std::uint64_t i = 0; i < kRecords; ++i) {
        const std::string payload = std::to_string(p) + ":" + std::to_string(i);
        if (producer.publish(payload).status != Status::ok) throw std::runtime_error("refused\n");
      }
    }));
  }
  Consumer consumer = bus.consumer("t", {.from = start()});
  for (auto& producer : producers) REQUIRE(producer->await());
  std::uint64_t next[2] = {0, 0};
  std::uint64_t expected_offset = 0;
  int kills = 0;
  while (next[0] + next[1] < 2 * kRecords) {
    for (const RecordView& record : consumer.poll(1000, std::chrono::seconds(1))) {
      const std::string value(record.value());
      const int p = value[0] - '0';
      REQUIRE(record.offset() == expected_offset++);
      REQUIRE(value.substr(2) == std::to_string(next[p]));
      ++next[p];
    }
    if (next[0] + next[1] > static_cast<std::uint64_t>(kills + 1) * kRecords / 3 && kills < 5) {
      ++kills;
      daemon.kill();
      daemon.start();
    }
  }
  for (auto& producer : producers) CHECK(producer->join() == 0);
  CHECK(kills == 5);
  Consumer replay = bus.consumer("t", {.from = start()});
  for (std::uint64_t offset = 0; offset < 2 * kRecords;) {
    for (const RecordView& record : replay.poll(1000, std::chrono::seconds(1))) {
      REQUIRE(record.offset() == offset++);
    }
  }
}

TEST_CASE("kill: a producer that dies while no supervisor lives is repaired by the next one",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Producer other = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  Child victim([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t");
    Claim claim = producer.claim(100);
    self.reached();
    self.stay();
  });
  REQUIRE(victim.await());
  daemon.kill();
  victim.kill();
  publish(other, "behind");
  CHECK(consumer.poll().empty());
  daemon.start();
  CHECK(take(consumer, 1)[0] == "behind");
}

TEST_CASE("kill: a cursor stands where its holder put it while no supervisor lived", "[kill]") {
  constexpr std::size_t kBehind = 12'000;  // more than the flusher follows at once
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 1024 * 1024});
  Producer producer = bus.producer("t");
  publish(producer, "before");
  Child victim([&](Child& self) {
    Bus own = daemon.connect();
    Consumer consumer = own.consumer("t", {.from = start(), .cursor = "c"});
    take(consumer, 1);
    self.reached();
    take(consumer, kBehind);
    consumer.advance();
    static_cast<void>(consumer.commit());
    self.reached();
    self.stay();
  });
  REQUIRE(victim.await());
  daemon.kill();
  for (std::size_t i = 0; i < kBehind; ++i) publish(producer, "x");
  REQUIRE(victim.await());
  victim.kill();
  daemon.start();
  publish(producer, "behind");
  for (;;) {
    try {
      Consumer next = bus.consumer("t", {.from = start(), .cursor = "c"});
      CHECK(take(next, 1)[0] == "behind");
      break;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy) throw;  // the dead one still counts as its holder
    }
  }
}

TEST_CASE("kill: the keeper is replaced at once, and its successor keeps the rings", "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024, .sync_interval_ms = 60'000});
  Producer producer = bus.producer("t");
  publish(producer, "before");
  const pid_t first = daemon.keeper();
  REQUIRE(first > 0);
  ::kill(first, SIGKILL);
  pid_t second = -1;
  while (second <= 0 || second == first) second = daemon.keeper();
  bus.topics();  // answered only after the new one has everything
  daemon.kill();
  daemon.start();
  publish(producer, "after");
  Consumer consumer = bus.consumer("t", {.from = start()});
  CHECK(take(consumer, 2) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("kill: everything dies, keeper and all: what was durable is there, no offset comes twice",
          "[kill]") {
  DaemonProcess daemon;
  std::uint64_t last = 0;
  {
    Bus bus = daemon.connect();
    bus.create_topic("t", kSmall);
    Producer producer = bus.producer("t");
    RecordOffset offset;
    for (int i = 0; i < 1000; ++i) offset = producer.publish(std::to_string(i)).offset;
    REQUIRE(producer.wait(offset, Level::durable) == Status::ok);
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
  Consumer consumer = bus.consumer("t", {.from = start()});
  const std::vector<std::string> values = take(consumer, 1001);
  for (int i = 0; i < 1000; ++i) REQUIRE(values[i] == std::to_string(i));
  CHECK(values.back() == "new life");
}

TEST_CASE("kill: what was lost with its ring is never called durable, whatever comes after",
          "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024});
  Producer producer = bus.producer("t");
  // Once it is attached anew: what it publishes before goes into a ring that is nobody's.
  const auto durable = [&](std::string_view payload) {
    for (;;) {
      const RecordOffset offset = producer.publish(payload).offset;
      if (producer.wait(offset, Level::durable) == Status::ok) return offset;
    }
  };
  const RecordOffset kept = durable("kept");
  ::kill(daemon.pid(), SIGSTOP);
  REQUIRE(::waitpid(daemon.pid(), nullptr, WUNTRACED) == daemon.pid());
  const auto [status, lost] = producer.publish("lost");
  REQUIRE(status == Status::ok);
  daemon.kill_keeper();
  daemon.kill();

  const auto check = [&] {
    durable("after");
    CHECK(producer.wait(kept, Level::durable) == Status::ok);
    CHECK(producer.wait(lost, Level::written) == Status::not_found);
    CHECK(producer.wait(lost, Level::durable) == Status::not_found);
  };
  daemon.start();
  check();
  daemon.kill();  // the ring is adopted
  daemon.start();
  check();
  bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  check();
  CHECK(daemon.stop() == 0);  // another ring, as large
  daemon.start();
  check();
}

TEST_CASE("kill: a keeper that could not be replaced at once is replaced later", "[kill]") {
  const ringway::test::TemporaryDirectory directory;
  const std::filesystem::path executable = directory / "ringwayd";
  std::filesystem::copy_file(RINGWAYD, executable);
  DaemonProcess daemon(executable);
  Bus bus = daemon.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024, .sync_interval_ms = 60'000});
  Producer producer = bus.producer("t");
  publish(producer, "before");
  std::filesystem::permissions(executable, std::filesystem::perms::owner_read);
  daemon.kill_keeper();
  RawClient client(daemon.socket());
  const auto state = [&] { return client.call(control::GetStatus{}).report["state"]; };
  while (state() != "degraded") std::this_thread::yield();
  std::filesystem::permissions(executable, std::filesystem::perms::owner_all);
  while (state() != "serving") std::this_thread::yield();
  REQUIRE(daemon.keeper() > 0);
  daemon.kill();
  daemon.start();
  publish(producer, "after");
  Consumer consumer = bus.consumer("t", {.from = start()});
  CHECK(take(consumer, 2) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("kill: a session whose memory was lost is not resumed", "[kill]") {
  DaemonProcess daemon;
  daemon.connect().create_topic("t", kSmall);
  RawClient client(daemon.socket());
  control::Open open;
  open.topic = "t";
  open.role = layout::Role::producer;
  client.call(open);
  const std::uint64_t session = client.welcome.session;
  daemon.kill();
  {
    // As if the keeper had died, too, and its successor had not got everything yet.
    control::KeeperConnection keeper(daemon.runtime_dir());
    keeper.call({{"op", "attach"}, {"state_dir", std::filesystem::canonical(daemon.state_dir())}});
    keeper.call(
        {{"op", "drop"}, {"name", shm::to_string(shm::MemoryName::of_session(session, 0))}});
  }
  daemon.start();
  RawClient again(daemon.socket(), session);
  CHECK(!again.welcome.resumed);
  CHECK(again.welcome.session != session);
}

TEST_CASE("kill: a ring is not adopted without the memory that says who claims in it", "[kill]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  const auto [status, offset] = producer.publish("before");
  REQUIRE(status == Status::ok);
  REQUIRE(producer.wait(offset, Level::durable) == Status::ok);
  Child claimant([&](Child& self) {
    Bus own = daemon.connect();
    Producer other = own.producer("t");
    const Claim claim = other.claim(100);
    self.reached();
    self.stay();
  });
  REQUIRE(claimant.await());
  daemon.kill();
  {
    // As if the keeper had died, too, and its successor had not got everything yet.
    control::KeeperConnection keeper(daemon.runtime_dir());
    keeper.call({{"op", "attach"}, {"state_dir", std::filesystem::canonical(daemon.state_dir())}});
    for (const auto& kept : keeper.pages({{"op", "list"}})) {
      if (kept.meta["kind"] == "session") keeper.call({{"op", "drop"}, {"name", kept.name}});
    }
  }
  daemon.start();
  claimant.kill();
  Producer fresh = daemon.connect().producer("t");
  publish(fresh, "after");
  Consumer consumer = bus.consumer("t", {.from = start()});
  CHECK(take(consumer, 2) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("kill: behind a lost ring a reader reaches the end, and hears what is missing",
          "[kill]") {
  DaemonProcess daemon;
  {
    Bus bus = daemon.connect();
    bus.create_topic("t", {.partitions = 4, .ring_bytes = 64 * 1024});
    for (std::uint32_t p = 0; p < 4; ++p) {
      Producer producer = bus.producer("t", {.partition = p});
      RecordOffset last;
      for (int i = 0; i < 100; ++i) last = producer.publish(std::to_string(i)).offset;
      REQUIRE(producer.wait(last, Level::durable) == Status::ok);
    }
    daemon.kill();
    daemon.kill_keeper();
  }
  daemon.start();
  Bus bus = daemon.connect();
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::size_t seen = 0;
  Status status = Status::ok;
  while (status != Status::timeout) {
    const RecordBatch batch = consumer.poll(1000, std::chrono::milliseconds(100));
    seen += batch.size();
    status = batch.status();
  }
  CHECK(seen == 400);
  CHECK(consumer.lag().records == 0);
}
