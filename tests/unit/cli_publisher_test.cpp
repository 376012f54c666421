#include <catch2/catch.hpp>

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

}  // namespace cli_publisher_test
