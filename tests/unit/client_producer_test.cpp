#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ring/writer.hpp"
#include "unit/client_fixture.hpp"

namespace ringway::client_producer_test {
namespace {

using test::MiniSupervisor;
using namespace std::chrono_literals;

std::vector<std::string> values(const RecordBatch& batch) {
  std::vector<std::string> all;
  for (const RecordView& record : batch) all.emplace_back(record.value());
  return all;
}

}  // namespace

TEST_CASE("publish: a record arrives with everything it was given", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  const std::string id = "7";
  auto [status, offset] =
      producer.publish("hello", {.key = "k", .headers = {{"trace", id}}, .timestamp_ns = 12345});
  CHECK(status == Status::ok);
  CHECK(offset == 0);
  CHECK(producer.publish("", {.key = ""}).status == Status::ok);
  const RecordBatch batch = consumer.poll();
  REQUIRE(batch.size() == 2);
  CHECK(batch[0].value() == "hello");
  CHECK(batch[0].key() == "k");
  CHECK(batch[0].timestamp_ns() == 12345);
  CHECK(batch[0].producer() == producer.identity());
  CHECK((*batch[0].headers().begin()).value.text() == "7");
  CHECK(batch[1].value().empty());
  CHECK(batch[1].has_key());
  CHECK(batch[1].headers().empty());
  CHECK(consumer.position(0) == 2);
  CHECK(consumer.lag().records == 0);
}

TEST_CASE("publish: a quarantined partition is told from a full one, whatever its tail says",
          "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  supervisor.board().hold.store(static_cast<std::uint32_t>(layout::Hold::quarantined));
  const auto view = supervisor.memory().view(0);
  const std::uint64_t far = view.ring_bytes() * 1000;  // no limit will ever reach it
  for (const bool closed : {true, false}) {
    view.tail().store(view.codec().pack({closed, far, 7}));
    CHECK(producer.publish("x").status == Status::quarantined);
    CHECK(producer.try_publish("x").status == Status::quarantined);
  }
}

TEST_CASE("wait: who waits for a partition in quarantine is told so", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t");
  supervisor.board().hold.store(static_cast<std::uint32_t>(layout::Hold::quarantined));
  CHECK(producer.wait({1000, 0}, Level::committed, 1s) == Status::quarantined);
  CHECK(consumer.poll(1, 1s).status() == Status::quarantined);
  CHECK(consumer.wait(1s) == Status::quarantined);
}

TEST_CASE("publish: what is too large is refused at once", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  CHECK(producer.record_bytes_max() == 16 * 1024 - 32);
  const std::string largest(producer.record_bytes_max(), 'x');
  CHECK(producer.publish(largest).status == Status::ok);
  const auto too_large = [&](std::uint64_t bytes) {
    return "a record of " + std::to_string(bytes) + " bytes does not fit: at most " +
           std::to_string(producer.record_bytes_max());
  };
  CHECK(producer.publish(largest + "x").status == Status::too_large);
  CHECK(producer.why() == too_large(producer.record_bytes_max() + 1));
  CHECK(producer.publish(largest, {.key = "seven"}).status == Status::too_large);
  CHECK(producer.why() == too_large(producer.record_bytes_max() + 5));
  CHECK(producer.claim(producer.record_bytes_max() + 2).status() == Status::too_large);
  CHECK(producer.why() == too_large(producer.record_bytes_max() + 2));
  CHECK(producer.publish("", {.key = std::string(70'000, 'k')}).status == Status::too_large);
  CHECK(producer.why() == "a key of 70000 bytes does not fit: at most 65535");
  CHECK(producer.claim_batch(100, 1000).status() == Status::too_large);
  CHECK_THAT(producer.why(), Catch::Contains("does not fit: at most"));
}

TEST_CASE("claim: commits, aborts, and skips what was destroyed uncommitted", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  {
    Claim claim = producer.claim(3, {.key = "k"});
    REQUIRE(claim);
    std::memcpy(claim.payload().data(), "abc", 3);
    Claim moved = std::move(claim);
    CHECK(moved.commit().offset == 0);
    CHECK(moved.commit().status == Status::closed);
  }
  {
    const Claim dropped = producer.claim(10);
  }
  Claim left_open = producer.claim(10);
  CHECK(producer.publish("d").offset == 3);
  CHECK(left_open.commit().status == Status::closed);
  CHECK(values(consumer.poll()) == std::vector<std::string>{"abc", "d"});
  CHECK(consumer.position(0) == 4);
  Claim orphan = producer.claim(10);
  producer = Producer();
  CHECK(orphan.commit().status == Status::closed);
}

TEST_CASE("batch: becomes visible at once, and its unused rest is skipped", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  Batch batch = producer.claim_batch(4, 100);
  REQUIRE(batch);
  CHECK(batch.append_copy("one"));
  CHECK(batch.append_copy("two", {.key = "key"}));
  CHECK_FALSE(batch.append_copy(std::string(1000, 'x')));
  CHECK(consumer.poll().empty());
  CHECK(batch.commit().offset == 0);
  CHECK(values(consumer.poll()) == std::vector<std::string>{"one", "two"});
  CHECK(consumer.position(0) == 4);
  Batch full = producer.claim_batch(2, 10);
  CHECK(full.append_copy("0123456789"));
  CHECK(full.append_copy("0123456789"));
  CHECK_FALSE(full.append_copy(""));
  CHECK(full.commit().offset == 4);
  Batch aborted = producer.claim_batch(3, 10);
  aborted.append_copy("never");
  aborted.abort();
  CHECK(producer.publish("after").offset == 9);
  CHECK(values(consumer.poll()) == std::vector<std::string>{"0123456789", "0123456789", "after"});
}

TEST_CASE("batch: large records leave room for a skip that can be followed", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  // Of the claim's 640 bytes the skip of four unused records needs a unit each.
  constexpr std::size_t kRoom = 640 - sizeof(layout::RecordHeader);
  Batch batch = producer.claim_batch(5, 96);
  REQUIRE(batch);
  CHECK_FALSE(batch.append_copy(std::string(kRoom - 3 * layout::kUnitBytes, 'x')));
  CHECK(batch.append_copy(std::string(kRoom - 4 * layout::kUnitBytes, 'y')));
  CHECK_FALSE(batch.append_copy("z"));
  CHECK(batch.append_copy(""));
  CHECK(batch.commit().status == Status::ok);
  CHECK(producer.publish("after").offset == 5);
  CHECK(values(consumer.poll()) ==
        std::vector<std::string>{std::string(kRoom - 4 * layout::kUnitBytes, 'y'), "", "after"});
  CHECK(consumer.poll().status() == Status::ok);
}

TEST_CASE("publish: waits for space and goes on when it is handed back", "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  const std::string payload(1000, 'x');
  while (producer.try_publish(payload).status == Status::ok) {
  }
  CHECK(producer.try_publish(payload).status == Status::back_pressured);
  CHECK(producer.publish(payload, {.timeout = 1ms}).status == Status::timeout);
  supervisor.board().hold = static_cast<std::uint32_t>(layout::Hold::pinned);
  supervisor.board().hold_pid = 4711;
  CHECK(producer.why() == "pinned by pid 4711, which holds records in place");
  std::thread other([&] { supervisor.hand_back(); });
  CHECK(producer.publish(payload).status == Status::ok);
  other.join();
}

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

TEST_CASE("bench: publish and poll of 64 bytes", "[.bench]") {
  MiniSupervisor supervisor({.ring_bytes = 16 * 1024 * 1024, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  const std::string payload(64, 'x');
  constexpr int kRecords = 10'000'000;
  constexpr int kRound = 4000;  // what fits a core's own cache
  using Clock = std::chrono::steady_clock;
  const auto ns = [](auto from) {
    return std::chrono::duration<double, std::nano>(Clock::now() - from).count();
  };
  // Of this thread alone: what others do on the machine does not count.
  const auto cpu_ns = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  };
  {
    Consumer consumer = bus.consumer("t", {.from = end()});
    double published = 0, polled = 0;
    for (int i = 0; i < kRecords;) {
      double from = cpu_ns();
      for (int j = 0; j < kRound; ++j, ++i) static_cast<void>(producer.publish(payload));
      published += cpu_ns() - from;
      from = cpu_ns();
      std::uint64_t bytes = 0;
      for (int seen = 0; seen < kRound;) {
        for (const RecordView& record : consumer.poll(1024)) {
          bytes += record.value().size();
          ++seen;
        }
      }
      CHECK(bytes == kRound * 64u);
      polled += cpu_ns() - from;
      consumer.advance();
      supervisor.hand_back();
    }
    std::printf("alone: publish %.1f ns, poll %.1f ns a record\n", published / kRecords,
                polled / kRecords);
  }
  {
    // The ring protocol alone, on the same memory: what the rest is to be compared with.
    layout::Slot slot{};
    ring::Writer<ring::PartitionView, layout::Slot> writer(supervisor.memory().view(0), slot);
    double published = 0;
    for (int i = 0; i < kRecords;) {
      const double from = cpu_ns();
      for (int j = 0; j < kRound; ++j, ++i) {
        const ring::Claimed claim = writer.try_claim(96, 1);
        layout::RecordHeader header{};
        header.payload_bytes = 64;
        header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
        writer.view().store_header(claim.position, header);
        std::memcpy(writer.view().at(claim.position) + sizeof header, payload.data(), 64);
        writer.commit(claim);
      }
      published += cpu_ns() - from;
      supervisor.hand_back();
    }
    std::printf("ring alone: publish %.1f ns\n", published / kRecords);
  }
  for (const std::size_t at_once : {256u, 1024u}) {
    Consumer consumer = bus.consumer("t", {.from = end()});
    std::atomic<bool> done{false};
    std::thread flusher([&] {
      while (!done) {
        supervisor.hand_back();
        std::this_thread::sleep_for(200us);
      }
    });
    const auto from = Clock::now();
    std::thread other([&] {
      for (int i = 0; i < kRecords; ++i) static_cast<void>(producer.publish(payload));
    });
    std::uint64_t polls = 0;
    for (int seen = 0; seen < kRecords; ++polls) {
      seen += static_cast<int>(consumer.poll(at_once, 1s).size());
    }
    const double all = ns(from);
    other.join();
    done = true;
    flusher.join();
    std::printf("two threads, polls of %zu: %.1f M/s, %.1f records a poll\n", at_once,
                kRecords * 1000.0 / all,
                static_cast<double>(kRecords) / static_cast<double>(polls));
  }
}

}  // namespace ringway::client_producer_test
