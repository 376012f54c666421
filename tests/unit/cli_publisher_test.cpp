#include <catch2/catch.hpp>
#include <csignal>

#include "daemon/gap_list.hpp"
#include "ringway/error.hpp"
#include "tools/publisher.hpp"
#include "unit/client_fixture.hpp"

namespace cli_publisher_test {

using namespace ringway;
using namespace ringway::test;

TEST_CASE("publisher: a record that the log lacks is not passed over for those behind it",
          "[cli]") {
  MiniSupervisor supervisor({.ring_bytes = 64 * 1024});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  const cli::StopSignal stop(producer);
  cli::Publisher publisher(producer, stop, {.topic = "t", .level = Level::durable});
  const auto publish = [&](int records) {
    for (int i = 0; i < records; ++i) publisher.publish({.value = "x"});
  };
  publish(10);
  layout::BoardPartition& board = supervisor.board();
  daemon::GapList(board).extend(3, 3, 6);  // as when the device refuses, and works again
  board.written_offset = board.durable_offset = 10;
  try {
    publisher.wait();
    FAIL("a record in the gap counts as durable");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::failed);
    CHECK(error.thing() == "topic 't', partition 0, offset 3");
  }
}

TEST_CASE("publisher: a SIGINT does not pass for the level that was waited for", "[cli]") {
  MiniSupervisor supervisor({.ring_bytes = 64 * 1024});
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  const cli::StopSignal stop(producer);
  const Level level = GENERATE(Level::written, Level::durable);
  cli::Publisher publisher(
      producer, stop, {.topic = "t", .level = level, .patience = std::chrono::milliseconds(1)});
  publisher.publish({.value = "x"});
  REQUIRE(std::raise(SIGINT) == 0);
  try {
    publisher.wait();
    FAIL("nobody has written it");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::timeout);
    CHECK(error.thing() == "topic 't', partition 0, offset 0");
  }
}

}  // namespace cli_publisher_test
