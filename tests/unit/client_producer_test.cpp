#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "unit/client_fixture.hpp"

namespace ringway::client_producer_test {
namespace {

using test::MiniSupervisor;
using test::values;
using namespace std::chrono_literals;

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

}  // namespace ringway::client_producer_test
