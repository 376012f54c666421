#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "unit/client_fixture.hpp"

namespace ringway::client_consumer_test {
namespace {

using test::MiniSupervisor;
using namespace std::chrono_literals;

/// How often this thread has gone to sleep.
long sleeps() {
  rusage used{};
  REQUIRE(::getrusage(RUSAGE_THREAD, &used) == 0);
  return used.ru_nvcsw;
}

}  // namespace

TEST_CASE("poll: for what cannot be had it does not go round at full load, deaf to its timeout",
          "[client]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  // Behind a record that nobody can follow lies one that is committed.
  const auto view = supervisor.memory().view(0);
  REQUIRE(producer.publish("spoiled").status == Status::ok);
  REQUIRE(producer.publish("wanted").status == Status::ok);
  layout::RecordHeader nonsense{};
  nonsense.kind = 99;
  view.store_header(0, nonsense);
  supervisor.board().committed_offset.store(2);
  Consumer consumer = bus.consumer("t", {.from = at_offset(1)});
  // A poll that comes to the processor only when its time is over need not sleep.
  const long before = sleeps();
  for (int i = 0; i < 20 && sleeps() == before; ++i) {
    const RecordBatch batch = consumer.poll(1, 50ms);
    CHECK(batch.empty());
    CHECK(batch.status() == Status::timeout);
  }
  CHECK(sleeps() > before);
}

}  // namespace ringway::client_consumer_test
