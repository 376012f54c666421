#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <string>

#include "client/bus_state.hpp"
#include "client/topic_memory.hpp"
#include "ringway/lost_pages.hpp"
#include "shm/landing.hpp"
#include "support/lost_page.hpp"
#include "unit/client_fixture.hpp"

namespace client_lost_pages_test {

using namespace ringway;
using namespace ringway::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kRing = 64 * 1024;
const std::string kText(3000, 'x');  // two of them pass the end of the first page

/// Loses a page of one partition's data in this process's client mappings of one role. The memory
/// itself keeps it: as if there were memory again right behind.
void lose_data_page(std::uint32_t partitions, std::uint32_t partition, std::uint64_t page,
                    bool of_producers) {
  const std::uint64_t at =
      layout::ring_data_offset(partitions, kRing, partition) + page * kPageBytes;
  int lost = 0;
  for (const Mapping& mapping : mappings_of("ring")) {
    const auto bytes = static_cast<std::uint64_t>(mapping.end - mapping.begin);
    // The supervisor's is the one that has all of the file.
    if (mapping.offset == 0 || mapping.writable != of_producers) continue;
    if (at < mapping.offset || at >= mapping.offset + bytes) continue;
    lose_pages_at(mapping.begin + (at - mapping.offset), 1);
    ++lost;
  }
  REQUIRE(lost > 0);
}

void lose_bells(const void* except) {
  for (const Mapping& mapping : mappings_of("bell")) {
    if (!mapping.has(except)) lose_pages_at(mapping.begin, 1);
  }
}

std::uint32_t pages_lost() {
  return shm::pages_lost.load();
}

/// While it lives, this thread is interrupted every 20 us, each time as by a lost page of another
/// topic.
class LossesElsewhere {
 public:
  LossesElsewhere() {
    std::signal(SIGUSR2, [](int) { ++shm::pages_lost; });
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR2;
    event._sigev_un._tid = ::gettid();
    REQUIRE(::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0);
    const itimerspec often{.it_interval = {0, 20'000}, .it_value = {0, 20'000}};
    REQUIRE(::timer_settime(timer_, 0, &often, nullptr) == 0);
  }
  LossesElsewhere(const LossesElsewhere&) = delete;
  LossesElsewhere& operator=(const LossesElsewhere&) = delete;
  ~LossesElsewhere() {
    ::timer_delete(timer_);
    std::signal(SIGUSR2, SIG_IGN);
  }

 private:
  timer_t timer_{};
};

/// Cannot be formatted: as if nothing could be allocated.
struct NoMemory {};

}  // namespace
}  // namespace client_lost_pages_test

template <>
struct fmt::formatter<client_lost_pages_test::NoMemory> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  auto format(client_lost_pages_test::NoMemory, format_context&) const -> format_context::iterator {
    throw std::bad_alloc();
  }
};

namespace client_lost_pages_test {

TEST_CASE("lost pages: a producer is not told ok for a record that went there, and goes on",
          "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  REQUIRE(producer.publish(kText).status == Status::ok);
  SECTION("publish") {
    lose_data_page(1, 0, 1, true);
    CHECK(producer.publish(kText).status == Status::quarantined);
  }
  SECTION("claim, lost before it is filled") {
    Claim claim = producer.claim(kText.size());
    REQUIRE(claim.status() == Status::ok);
    lose_data_page(1, 0, 1, true);
    std::memcpy(claim.payload().data(), kText.data(), kText.size());
    CHECK(claim.commit().status == Status::quarantined);
  }
  SECTION("batch, lost once it is filled") {
    Batch batch = producer.claim_batch(2, kText.size());
    REQUIRE(batch.status() == Status::ok);
    REQUIRE(batch.append_copy(kText));
    lose_data_page(1, 0, 1, true);  // where the second record's header goes
    static_cast<void>(batch.append_copy(kText));
    CHECK(batch.commit().status == Status::quarantined);
  }
  const std::uint32_t lost = pages_lost();
  CHECK(producer.publish(kText).status == Status::ok);
  CHECK(pages_lost() == lost);
  // Its number is passed over: nobody sees half a record.
  const RecordBatch batch = consumer.poll();
  REQUIRE(batch.size() == 2);
  for (const RecordView& record : batch) CHECK(record.value() == kText);
}

TEST_CASE("lost pages: of another partition they are none of a record's concern", "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.partitions = 2, .ring_bytes = kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer first = bus.producer("t"), second = bus.producer("t");
  REQUIRE(second.publish(kText, {.partition = 1}).status == Status::ok);
  lose_data_page(2, 0, 0, true);
  REQUIRE(first.publish(kText, {.partition = 0}).status == Status::quarantined);
  CHECK(second.publish(kText, {.partition = 1}).status == Status::ok);
}

TEST_CASE("lost pages: what was mapped anew may be lost again, for as long as it takes",
          "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  for (std::uint64_t i = 0; i < 100; ++i) {  // more often than pages are held ready
    lose_data_page(1, 0, i * 64 / kPageBytes, true);
    REQUIRE(producer.publish("x").status == Status::quarantined);
  }
  CHECK(producer.publish("x").status == Status::ok);
}

TEST_CASE("lost pages: a tail that is lost is closed, so that nobody claims by it", "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing, .persist = false});
  const auto& board = supervisor.memory().board();
  TopicMemory::Identity identity{{}, board.generation, layout::Role::producer};
  std::copy_n(std::begin(board.topic_uuid), identity.topic.size(), identity.topic.begin());
  TopicMemory memory(identity, shm::reopen_read_only(supervisor.memory().board_fd()),
                     shm::duplicate(supervisor.memory().ring_fd()),
                     shm::duplicate(supervisor.memory().bell_fd()));
  const auto view = memory.view(0);
  lose_pages_at(reinterpret_cast<std::byte*>(&view.tail()), 1);
  CHECK(view.codec().unpack(view.tail().load()).closed);
  CHECK(memory.lost_ring_page(0));
  CHECK_FALSE(memory.mapped_anew()->lost_page());
}

TEST_CASE("lost pages: a producer whose tail is lost does not wait in front of it", "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  REQUIRE(producer.publish("x").status == Status::ok);
  for (const Mapping& mapping : mappings_of("ring")) {
    if (mapping.offset == 0 && mapping.writable && !mapping.has(&supervisor.memory().ring())) {
      lose_pages_at(mapping.begin + kPageBytes, 1);
    }
  }
  const auto [status, offset] = producer.publish("y");
  CHECK(status == Status::ok);
  CHECK(offset == 1);
}

TEST_CASE("lost pages: a consumer is told, and reads on", "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  for (int i = 0; i < 3; ++i) REQUIRE(producer.publish(kText).status == Status::ok);
  SECTION("under a poll") {
    lose_data_page(1, 0, 1, false);
    const RecordBatch batch = consumer.poll();
    REQUIRE(batch.size() == 2);  // the third begins in the page that is gone
    CHECK(batch[0].value() == kText);
    CHECK(batch[1].value() != kText);
    CHECK(consumer.validate() == Status::quarantined);
    const RecordBatch rest = consumer.poll();
    CHECK(rest.status() == Status::quarantined);
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].value() == kText);
    CHECK(consumer.validate() == Status::ok);
  }
  SECTION("under the views of one") {
    const RecordBatch batch = consumer.poll(2);
    REQUIRE(batch.size() == 2);
    CHECK(consumer.validate() == Status::ok);
    lose_data_page(1, 0, 1, false);
    CHECK(batch[1].value() != kText);
    CHECK(consumer.validate() == Status::quarantined);
    CHECK(consumer.seek(0, at_offset(1)) == Status::ok);
    const RecordBatch again = consumer.poll();
    CHECK(again.status() == Status::quarantined);
    REQUIRE(again.size() == 2);
    CHECK(again[0].value() == kText);
  }
  SECTION("while it waits in front of it") {
    REQUIRE(consumer.poll().size() == 3);
    lose_data_page(1, 0, 2, false);  // where the fourth begins
    CHECK(consumer.poll(1, 60s).status() == Status::quarantined);
    REQUIRE(producer.publish(kText).status == Status::ok);
    CHECK(consumer.poll().size() == 1);
  }
  const RecordBatch none = consumer.poll();
  CHECK(none.status() == Status::ok);
  CHECK(none.empty());
}

TEST_CASE("lost pages: those of others, however many, keep no consumer from what it reads",
          "[client]") {
  MiniSupervisor supervisor({.ring_bytes = 64 * kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  constexpr std::size_t kRecords = 30'000;  // far more than can be read without being interrupted
  for (std::size_t i = 0; i < kRecords; ++i) REQUIRE(producer.publish("x").status == Status::ok);
  Consumer consumer = bus.consumer("t", {.from = start()});
  const LossesElsewhere losses;
  CHECK(consumer.poll(kRecords).size() == kRecords);
}

TEST_CASE("lost pages: a line for which there is no memory is left out", "[client]") {
  MiniSupervisor supervisor;
  int lines = 0;
  BusState bus(supervisor.socket(), 10s, [&](std::string_view) { ++lines; });
  bus.log("{}", 1);
  bus.log("{}", NoMemory());
  CHECK(lines == 1);
}

TEST_CASE("lost pages: who is to copy is told so in the mapping that it has by then", "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  lose_data_page(1, 0, 0, false);
  for (int i = 0; i < 2; ++i) REQUIRE(producer.publish(kText).status == Status::ok);
  while (consumer.poll(1).empty()) {
  }
  supervisor.memory().attachments()[1].flags.fetch_or(layout::kCopies);
  const RecordBatch batch = consumer.poll();
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].value() == kText);
  const char* const given = batch[0].value().data();
  for (const Mapping& mapping : mappings_of("ring")) CHECK_FALSE(mapping.has(given));
}

TEST_CASE("lost pages: of a bell no record hangs, and it is mapped anew", "[client]") {
  survive_lost_pages();
  MiniSupervisor supervisor({.ring_bytes = kRing, .persist = false});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  const std::uint32_t before = pages_lost();
  lose_bells(&supervisor.memory().bell());
  CHECK(producer.publish("x").status == Status::ok);
  CHECK(consumer.poll().size() == 1);
  CHECK(consumer.poll(1, 1ms).status() == Status::timeout);
  const std::uint32_t lost = pages_lost();
  CHECK(lost > before);
  CHECK(producer.publish("y").status == Status::ok);
  CHECK(consumer.poll().size() == 1);
  CHECK(consumer.poll(1, 1ms).status() == Status::timeout);
  CHECK(pages_lost() == lost);
}

}  // namespace client_lost_pages_test
