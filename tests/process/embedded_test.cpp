#include "ringway/embedded.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "ringway/ringway.hpp"
#include "support/lost_page.hpp"
#include "support/temporary_directory.hpp"

using namespace ringway;

TEST_CASE("embedded: publishes and consumes in one process, and leaves nothing", "[embedded]") {
  std::string socket;
  {
    Embedded embedded;
    socket = embedded.socket();
    Bus bus = embedded.connect();
    bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024});
    Producer producer = bus.producer("t");
    Consumer consumer = bus.consumer("t", {.from = start()});
    const auto [status, offset] = producer.publish("hello");
    REQUIRE(status == Status::ok);
    CHECK(producer.wait(offset, Level::durable) == Status::ok);
    const RecordBatch batch = consumer.poll(1, forever);
    REQUIRE(batch.size() == 1);
    CHECK(batch[0].value() == "hello");
  }
  CHECK_FALSE(std::filesystem::exists(std::filesystem::path(socket).parent_path()));
}

TEST_CASE("embedded: given directories are kept, and offsets go on", "[embedded]") {
  const test::TemporaryDirectory directory;
  const EmbeddedOptions options{.runtime_dir = directory / "run", .state_dir = directory / "state"};
  for (std::uint64_t run = 0; run < 3; ++run) {
    Embedded embedded(options);
    Bus bus = embedded.connect();
    if (run == 0) bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024});
    const auto [status, offset] = bus.producer("t").publish("x");
    CHECK(status == Status::ok);
    CHECK(offset == run);
  }
}

TEST_CASE("embedded: a second one on the same directories is refused", "[embedded]") {
  const test::TemporaryDirectory directory;
  const EmbeddedOptions options{.runtime_dir = directory / "run", .state_dir = directory / "state"};
  Embedded embedded(options);
  CHECK_THROWS_AS(Embedded(options), Error);
}

TEST_CASE("embedded: the policy `kill` spares the process that the supervisor is part of",
          "[embedded]") {
  Embedded embedded;
  Bus bus = embedded.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024,
                         .pin_budget_ms = 50,
                         .retired_bytes_max = 1,
                         .when_pinned = WhenPinned::kill});
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  const std::string text(1000, 'x');
  REQUIRE(producer.publish(text).status == Status::ok);
  const RecordBatch batch = consumer.poll(1, forever);
  REQUIRE(batch.size() == 1);
  // Long enough that it is decided about.
  Status status = Status::ok;
  while (status == Status::ok) {
    status = producer.publish(text, {.timeout = std::chrono::milliseconds(2500)}).status;
  }
  CHECK(status == Status::timeout);
  CHECK(batch[0].value() == text);
}

TEST_CASE("embedded: a lost page in the supervisor's memory does not end the process that asked",
          "[embedded]") {
  Embedded embedded({.survive_lost_pages = true});
  Bus bus = embedded.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024, .persist = false});
  Producer producer = bus.producer("t");
  int lost = 0;
  for (const test::Mapping& mapping : test::mappings_of("ring")) {
    const auto bytes = static_cast<std::size_t>(mapping.end - mapping.begin);
    if (mapping.offset != 0 || bytes <= 64 * 1024) continue;  // the supervisor's has all of it
    test::lose_pages_at(mapping.end - test::kPageBytes, 1);
    ++lost;
  }
  REQUIRE(lost != 0);
  Status status = Status::ok;
  while (status == Status::ok) status = producer.publish(std::string(1000, 'x')).status;
  CHECK(status == Status::quarantined);
}
