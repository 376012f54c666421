// The whole way on one machine: library, control socket, flusher, log; the supervisor embedded.

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "client/administration.hpp"
#include "ringway/embedded.hpp"
#include "ringway/ringway.hpp"
#include "support/records.hpp"
#include "support/temporary_directory.hpp"

namespace ringway {
namespace {

using test::take;
using test::TemporaryDirectory;
using namespace std::chrono_literals;

const TopicChoices kSmall{.partitions = 1, .ring_bytes = 64 * 1024};

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (; from < to; ++from) all.push_back(std::to_string(from));
  return all;
}

}  // namespace

TEST_CASE("bus: topics are created, listed, described and deleted", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  TopicChoices settings = kSmall;
  settings.partitions = 3;
  settings.sync = SyncPolicy::every_batch;
  bus.create_topic("a/b", settings);
  bus.create_topic("c", {.ring_bytes = 64 * 1024, .persist = false});
  REQUIRE(bus.topics().size() == 2);
  CHECK(bus.topics()[0].name == "a/b");
  CHECK(bus.topics()[0].partitions == 3);
  CHECK_FALSE(bus.topics()[1].persist);
  CHECK(bus.settings("a/b").sync == SyncPolicy::every_batch);
  const auto code = [&](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode{};
  };
  CHECK(code([&] { bus.create_topic("c"); }) == ErrorCode::exists);
  CHECK(code([&] { static_cast<void>(bus.producer("none")); }) == ErrorCode::not_found);
  CHECK(code([&] { static_cast<void>(bus.consumer("c", {.partitions = {1}})); }) ==
        ErrorCode::usage);
  CHECK(code([&] { static_cast<void>(bus.consumer("c", {.from = at_offset(1)})); }) ==
        ErrorCode::not_found);
  CHECK(code([&] { static_cast<void>(Bus::connect("/nowhere/control.sock")); }) ==
        ErrorCode::unavailable);
  Producer producer = bus.producer("c");
  Consumer consumer = bus.consumer("c");
  bus.delete_topic("c");
  CHECK(consumer.poll(1, 10s).status() == Status::closed);
  CHECK(producer.publish(std::string(1000, 'x')).status != Status::timeout);
  CHECK(code([&] { bus.settings("c"); }) == ErrorCode::not_found);
}

TEST_CASE("bus: keys keep their order in their partition, and every record comes once", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  bus.create_topic("orders", {.partitions = 4, .ring_bytes = 64 * 1024});
  Consumer consumer = bus.consumer("orders", {.from = start()});
  std::thread other([&] {
    Producer producer = bus.producer("orders");
    for (int i = 0; i < 20'000; ++i) {
      const std::string key = "key-" + std::to_string(i % 17);
      const std::string value = std::to_string(i / 17);
      const auto [status, offset] = producer.publish(value, {.key = key});
      if (status != Status::ok || offset.partition != partition_of(key, 4)) std::abort();
    }
  });
  std::map<std::string, int> next;
  for (int seen = 0; seen < 20'000;) {
    for (const RecordView& record : consumer.poll(100, 10s)) {
      REQUIRE(record.partition() == partition_of(record.key(), 4));
      REQUIRE(record.value() == std::to_string(next[std::string(record.key())]++));
      ++seen;
    }
  }
  other.join();
  CHECK(consumer.lag().records == 0);
  CHECK(consumer.take_gaps().empty());
}

TEST_CASE("bus: wait returns when the level is reached, and replay finds everything", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  RecordOffset last;
  for (int i = 0; i < 10'000; ++i) last = producer.publish(std::to_string(i)).offset;
  CHECK(last == 9'999);
  CHECK(producer.wait(last, Level::committed, 10s) == Status::ok);
  CHECK(producer.wait(last, Level::written, 10s) == Status::ok);
  CHECK(producer.wait(last, Level::durable, 10s) == Status::ok);
  Consumer consumer = bus.consumer("t", {.from = start()});
  CHECK(consumer.watermark(0, Level::durable) == 10'000);
  CHECK(take(consumer, 10'000) == numbers(0, 10'000));
  CHECK(consumer.seek(at_offset(123)) == Status::ok);
  CHECK(take(consumer, 10'000 - 123, 7) == numbers(123, 10'000));
  CHECK(consumer.seek(at_offset(10'001)) == Status::beyond_end);
  CHECK(consumer.seek(at_offset(10'000)) == Status::ok);
  CHECK(consumer.poll().empty());
  CHECK(consumer.seek(start()) == Status::ok);
  CHECK(consumer.lag().records == 10'000);
  CHECK(consumer.lag().bytes > 10'000 * 32);
}

TEST_CASE("bus: a time leads to the first record that reaches it, in the log or in the ring",
          "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  RecordOffset last;
  for (int i = 0; i < 20'000; ++i) {
    last = producer.publish(std::to_string(i), {.timestamp_ns = 1'000 + i}).offset;
  }
  CHECK(producer.wait(last, Level::durable, 10s) == Status::ok);
  Consumer consumer = bus.consumer("t");
  for (const int wanted : {0, 1, 5'000, 15'000, 19'990, 19'999}) {
    REQUIRE(consumer.seek(at_timestamp(1'000 + wanted)) == Status::ok);
    CHECK(take(consumer, 1, 1).front() == std::to_string(wanted));
  }
  CHECK(consumer.seek(at_timestamp(50'000)) == Status::ok);
  CHECK(consumer.poll(10, 10ms).empty());
  CHECK(producer.publish("later", {.timestamp_ns = 60'000}).status == Status::ok);
  CHECK(take(consumer, 1).front() == "later");
}

TEST_CASE("bus: a consumer too slow for the ring reads the log and comes back", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024, .segment_bytes = 1024 * 1024});
  constexpr int kRecords = 50'000;
  Consumer slow = bus.consumer("t", {.from = start()});
  Consumer live = bus.consumer("t", {.from = start()});
  std::thread other([&] {
    Producer producer = bus.producer("t");
    for (int i = 0; i < kRecords; ++i) {
      if (producer.publish(std::to_string(i)).status != Status::ok) std::abort();
    }
  });
  // Ahead of the slow one by many rings, always.
  std::vector<std::string> from_live, from_slow;
  while (from_live.size() < kRecords) {
    for (const RecordView& record : live.poll(1000, 10s)) from_live.emplace_back(record.value());
    if (from_live.size() < from_slow.size() + 5'000) continue;
    for (const RecordView& record : slow.poll(100)) from_slow.emplace_back(record.value());
    slow.advance();
  }
  other.join();
  for (const std::string& value : take(slow, kRecords - from_slow.size())) {
    from_slow.push_back(value);
  }
  CHECK((from_live == numbers(0, kRecords)));
  CHECK((from_slow == numbers(0, kRecords)));
  CHECK(slow.take_gaps().empty());
  CHECK(live.take_gaps().empty());
}

TEST_CASE("bus: a named cursor goes on where it was committed, one holder at a time", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  for (int i = 0; i < 100; ++i) CHECK(producer.publish(std::to_string(i)).status == Status::ok);
  {
    Consumer first = bus.consumer("t", {.from = start(), .cursor = "billing"});
    CHECK(take(first, 30, 30) == numbers(0, 30));
    CHECK(first.commit() == Status::ok);
    CHECK(take(first, 10, 10) == numbers(30, 40));
    Bus elsewhere = supervisor.connect();
    try {
      static_cast<void>(elsewhere.consumer("t", {.cursor = "billing"}));
      FAIL("a second holder was let in");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::busy);
      CHECK(error.rule().find(std::to_string(::getpid())) != std::string::npos);
    }
  }
  Consumer again = bus.consumer("t", {.from = end(), .cursor = "billing"});
  CHECK(take(again, 70) == numbers(30, 100));
  CHECK(again.commit() == Status::ok);
  Administration administration(bus);
  const auto cursors = administration.cursors("t");
  REQUIRE(cursors.size() == 1);
  CHECK(cursors[0].name == "billing");
  CHECK(cursors[0].holder_pid == static_cast<std::uint32_t>(::getpid()));
  const auto refused = [&] {
    try {
      bus.delete_cursor("t", "billing");
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::failed;
  };
  CHECK(refused() == ErrorCode::busy);
  again = bus.consumer("t");
  bus.delete_cursor("t", "billing");
  CHECK(administration.cursors("t").empty());
  CHECK(refused() == ErrorCode::not_found);
}

TEST_CASE("bus: without persistence, full means what the topic says", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  TopicChoices settings{.ring_bytes = 64 * 1024, .persist = false};
  SECTION("block: the slowest consumer holds producers up and is named") {
    bus.create_topic("t", settings);
    Producer producer = bus.producer("t");
    Consumer consumer = bus.consumer("t", {.from = start()});
    int published = 0;
    const std::string payload(1000, 'x');
    while (producer.publish(payload, {.timeout = 50ms}).status == Status::ok) ++published;
    CHECK(published >= 60);
    while (producer.why().find("pid " + std::to_string(::getpid())) == std::string::npos) {
      std::this_thread::yield();
    }
    CHECK(take(consumer, static_cast<std::size_t>(published)).size() ==
          static_cast<std::size_t>(published));
    consumer.advance();
    CHECK(consumer.poll().empty());
    CHECK(producer.publish(payload, {.timeout = 10s}).status == Status::ok);
    CHECK(producer.wait({0, 0}, Level::durable, 1ms) == Status::not_found);
  }
  SECTION("overwrite: the slow consumer learns exactly what it missed") {
    settings.when_full = WhenFull::overwrite;
    bus.create_topic("t", settings);
    Producer producer = bus.producer("t");
    Consumer consumer = bus.consumer("t", {.from = start()});
    RecordOffset last;
    for (int i = 0; i < 10'000; ++i)
      last = producer.publish(std::to_string(i), {.timeout = 10s}).offset;
    CHECK(producer.wait(last, Level::committed, 10s) == Status::ok);
    std::uint64_t next = 0;
    while (next < 10'000) {
      const RecordBatch batch = consumer.poll(100);
      for (const Gap& gap : consumer.take_gaps()) {
        CHECK(gap.from == next);
        CHECK(gap.reason == Status::lapped);
        next = gap.to;
      }
      const bool intact = consumer.validate() == Status::ok;
      for (const RecordView& record : batch) {
        REQUIRE(record.offset() == next++);
        if (intact) REQUIRE(record.value() == std::to_string(record.offset()));
      }
    }
  }
}

TEST_CASE("bus: an orderly restart keeps everything, and handles go on by themselves", "[bus]") {
  TemporaryDirectory directory;
  const EmbeddedOptions options{.runtime_dir = directory / "run", .state_dir = directory / "state"};
  auto supervisor = std::make_unique<Embedded>(options);
  Bus bus = supervisor->connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start(), .cursor = "c"});
  for (int i = 0; i < 3'000; ++i) CHECK(producer.publish(std::to_string(i)).status == Status::ok);
  CHECK(take(consumer, 1'000, 100) == numbers(0, 1'000));
  CHECK(consumer.commit() == Status::ok);
  supervisor.reset();
  CHECK(producer.try_publish("while it is away").status == Status::back_pressured);
  std::thread other([&] { supervisor = std::make_unique<Embedded>(options); });
  CHECK(producer.publish("3000").offset == 3'000);
  other.join();
  CHECK(take(consumer, 2'001) == numbers(1'000, 3'001));
  CHECK(producer.wait({2'999, 0}, Level::durable, 10s) == Status::ok);
  CHECK(producer.wait({3'000, 0}, Level::durable, 10s) == Status::ok);
  CHECK(consumer.take_gaps().empty());
  consumer = Consumer();
  Consumer again = bus.consumer("t", {.cursor = "c"});
  CHECK(take(again, 2'001) == numbers(1'000, 3'001));
}

TEST_CASE("bus: a forked child connects anew, the parent's handles go on", "[bus]") {
  Embedded supervisor;
  Bus bus = supervisor.connect();
  bus.create_topic("t", kSmall);
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    bool right = producer.publish("x").status == Status::forked;
    try {
      Bus own = Bus::connect(supervisor.socket());
      Producer mine = own.producer("t");
      right = right && mine.publish("from the child").status == Status::ok;
    } catch (...) {
      right = false;
    }
    ::_exit(right ? 0 : 1);
  }
  int result = -1;
  ::waitpid(child, &result, 0);
  CHECK(result == 0);
  CHECK(producer.publish("from the parent").status == Status::ok);
  CHECK(take(consumer, 2) == std::vector<std::string>{"from the child", "from the parent"});
}

}  // namespace ringway
