#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "ringway/lost_pages.hpp"
#include "support/lost_page.hpp"
#include "tools/inspection.hpp"
#include "tools/ring_tail.hpp"
#include "unit/client_fixture.hpp"

namespace cli_inspection_test {

using namespace ringway;
using namespace ringway::test;

namespace {

cli::FoundMemory found(daemon::TopicMemory& memory) {
  cli::FoundMemory found;
  found.board = shm::reopen_read_only(memory.board_fd());
  found.ring = shm::reopen_read_only(memory.ring_fd());
  return found;
}

/// A page of the one mapping of rings that cannot be written to.
void lose_page(std::uint64_t file_pos) {
  int lost = 0;
  for (const Mapping& mapping : mappings_of("ring")) {
    const auto bytes = static_cast<std::uint64_t>(mapping.end - mapping.begin);
    if (mapping.writable || file_pos < mapping.offset || file_pos >= mapping.offset + bytes) {
      continue;
    }
    lose_pages_at(mapping.begin + (file_pos - mapping.offset), 1);
    ++lost;
  }
  REQUIRE(lost != 0);
}

}  // namespace

TEST_CASE("inspect: shows what is left where pages are lost, and that they are", "[cli]") {
  survive_lost_pages();
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  for (const char* value : {"a", "b"}) REQUIRE(producer.publish(value).status == Status::ok);
  cli::InspectedTopic topic(found(supervisor.memory()));
  cli::Inspection inspection(topic, {}, 10);
  SECTION("none is") {
    inspection.look(0);
    const auto shown = cli::Json::parse(inspection.render(cli::Format::json, cli::Style::plain));
    CHECK(shown["pages_lost"] == 0);
    CHECK(shown["partitions"][0]["records"].size() == 2);
  }
  SECTION("one of tails") {
    lose_page(layout::kPageBytes);
    inspection.look(0);
    const auto shown = cli::Json::parse(inspection.render(cli::Format::json, cli::Style::plain));
    CHECK(shown["pages_lost"] == 1);
    CHECK(shown["partitions"][0]["tail"] == 0);
    CHECK(shown["partitions"][0]["records"].size() == 2);
  }
  SECTION("one of records") {
    const auto view = topic.view(0);
    lose_page(layout::ring_data_offset(1, view.ring_bytes(), 0));
    CHECK(cli::last_records(view, 10).empty());
    CHECK_THAT(inspection.render(cli::Format::table, cli::Style::plain),
               Catch::Contains("1: no memory to fill holes"));
  }
}

TEST_CASE("inspect: what people see, programs see, and under the names they know", "[cli]") {
  MiniSupervisor supervisor;
  Bus bus = supervisor.connect();
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t");
  REQUIRE(producer.publish("a").status == Status::ok);
  cli::FoundMemory memory = found(supervisor.memory());
  memory.through = "somebody's memory";
  memory.generation = 7;
  cli::InspectedTopic topic(std::move(memory));
  cli::Inspection inspection(topic, {}, 10);
  inspection.look(0);
  const auto shown = cli::Json::parse(inspection.render(cli::Format::json, cli::Style::plain));
  CHECK(shown["through"] == "somebody's memory");
  CHECK(shown["generation"] == 7);
  CHECK(shown["supervisor"].size() == 2);
  CHECK(shown["supervisor"].contains("process"));
  const auto names = [](const cli::Json& object) {
    std::set<std::string> all;
    for (const auto& member : object.items()) all.insert(member.key());
    return all;
  };
  CHECK(names(shown) == std::set<std::string>{"topic", "uuid", "generation", "layout", "supervisor",
                                              "through", "pages_lost", "partitions"});
  const auto& partition = shown["partitions"][0];
  CHECK(names(partition) ==
        std::set<std::string>{"partition", "first_offset", "committed", "written", "durable",
                              "ring_bytes", "log_bytes", "log_gaps", "state", "tail", "limit",
                              "generation", "fill", "producers", "cursors", "holes", "repairs",
                              "records"});
  CHECK(partition["generation"] == 7);
  CHECK(partition["producers"].is_array());
  CHECK(partition["cursors"].is_array());
  CHECK(partition["records"][0]["value"] == "a");
  const std::string table = inspection.render(cli::Format::table, cli::Style::plain);
  for (const char* there : {"Ring generation: 7\n", "Seen through:    somebody's memory\n",
                            "LAST RECORDS"}) {
    CHECK_THAT(table, Catch::Contains(there));
  }
  CHECK_THAT(table, !Catch::Contains("REPAIRED CLAIMS"));
}

TEST_CASE("inspect: a ring that is not finished is not told to have another layout", "[cli]") {
  auto memory = daemon::TopicMemory::create({{1, 2, 3}, "t", 1}, {.ring_bytes = 64 * 1024}, 8);
  try {
    const cli::InspectedTopic topic(found(memory));
    FAIL("it was not refused");
  } catch (const Error& told) {
    CHECK(told.thing() == "topic 't'");
    CHECK_THAT(told.rule(), Catch::Contains("not finished") && !Catch::Contains("layout"));
    CHECK_THAT(told.fix(), Catch::Contains("ringway status"));
  }
}

}  // namespace cli_inspection_test
