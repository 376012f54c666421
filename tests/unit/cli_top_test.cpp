#include <catch2/catch.hpp>

#include "tools/top/controls.hpp"
#include "tools/top/figures.hpp"
#include "tools/top/fitting.hpp"
#include "tools/top/history.hpp"

namespace cli_top_test {

using namespace ringway;
using namespace ringway::cli::top;

namespace {

BusSample sample_at(int second, std::vector<TopicSample> topics) {
  BusSample sample;
  sample.at = std::chrono::steady_clock::time_point(std::chrono::seconds(second));
  sample.topics = std::move(topics);
  return sample;
}

TopicSample topic(std::string name, std::uint64_t records, std::uint64_t bytes = 0) {
  TopicSample topic;
  topic.name = std::move(name);
  topic.generation = 1;
  topic.partitions = {{.claimed_offset = records, .claimed_position = bytes, .committed = records}};
  return topic;
}

HandleSample consumer(std::uint64_t lag, std::uint64_t read, std::string_view process = "alive") {
  return {.id = {1, 0, 0},
          .role = layout::Role::consumer,
          .pid = 7,
          .process = process,
          .lag = lag,
          .read = read};
}

History traffic() {
  History history;
  history.take(sample_at(0, {topic("b", 0), topic("a", 0), topic("c", 0)}));
  history.take(sample_at(1, {topic("b", 10), topic("a", 30), topic("c", 20)}));
  return history;
}

std::vector<std::string> names(const Table& table) {
  std::vector<std::string> names;
  for (const Line& line : table.lines) names.push_back(line.fields.front().text);
  return names;
}

void press(Controls& controls, std::string_view keys) {
  for (const char c : keys) controls.press({Key::Name::character, c});
}

}  // namespace

TEST_CASE("top: rates are what was added between two samples, by their times", "[cli]") {
  History history;
  history.take(sample_at(10, {topic("t", 100, 6400)}));
  CHECK_FALSE(history.facts(0).speed.records);
  history.take(sample_at(12, {topic("t", 300, 19200)}));
  CHECK(*history.facts(0).speed.records == 100);
  CHECK(*history.facts(0).speed.bytes == 6400);
  CHECK(history.facts(0).trend == std::deque<double>{100});
}

TEST_CASE("top: behind another ring there is no rate of bytes for once", "[cli]") {
  History history;
  history.take(sample_at(0, {topic("t", 100, 6400)}));
  TopicSample next = topic("t", 150, 64);
  next.generation = 2;
  history.take(sample_at(1, {next}));
  CHECK(*history.facts(0).speed.records == 50);
  CHECK_FALSE(history.facts(0).speed.bytes);
}

TEST_CASE("top: a trend is no longer than it is shown, and goes with its topic", "[cli]") {
  History history;
  for (int second = 0; second < 200; ++second) {
    history.take(sample_at(second, {topic("t", static_cast<std::uint64_t>(second))}));
  }
  CHECK(history.facts(0).trend.size() == History::kTrendMax);
  history.take(sample_at(200, {}));
  history.take(sample_at(201, {topic("t", 5)}));
  CHECK(history.facts(0).trend.empty());
}

TEST_CASE("top: a topic's state is the worst of what holds it up", "[cli]") {
  History history;
  TopicSample seen = topic("t", 0);
  SECTION("nothing") {
    history.take(sample_at(0, {seen}));
    CHECK(history.facts(0).state.text == "serving");
    CHECK(history.facts(0).state.mood == Mood::well);
  }
  SECTION("its partition") {
    seen.partitions[0].hold = layout::Hold::pinned;
    seen.partitions[0].hold_pid = 12;
    history.take(sample_at(0, {seen}));
    CHECK(history.facts(0).state.text == "pinned by pid 12");
    CHECK(history.facts(0).state.mood == Mood::bad);
  }
  SECTION("a disk that is only slow") {
    seen.partitions[0].hold = layout::Hold::disk_slow;
    history.take(sample_at(0, {seen}));
    CHECK(history.facts(0).state.text == "disk_slow");
    CHECK(history.facts(0).state.mood == Mood::slow);
  }
  SECTION("a process that is stopped") {
    seen.handles = {consumer(0, 0, "stopped")};
    history.take(sample_at(0, {seen}));
    CHECK(history.facts(0).state.text == "stopped pid 7");
  }
  SECTION("what could not be opened") {
    seen.trouble = "no right to read it";
    history.take(sample_at(0, {seen}));
    CHECK(history.facts(0).state.text == "no right to read it");
  }
}

TEST_CASE("top: a cursor that nobody holds falls behind, and makes nobody slow", "[cli]") {
  History history;
  for (int second = 0; second < 5; ++second) {
    TopicSample seen = topic("t", 1000);
    seen.handles = {{.role = layout::Role::consumer,
                     .cursor = "billing",
                     .lag = static_cast<std::uint64_t>(10 * second)}};
    history.take(sample_at(second, {seen}));
  }
  CHECK(*history.facts(0).lag == 40);
  CHECK(history.facts(0).state.text == "serving");
  const Table table = table_of(history, {.kind = Kind::consumers});
  REQUIRE(table.lines.size() == 1);
  CHECK(table.lines[0].fields[1].text == "-");
  CHECK(table.lines[0].fields.back().text == "not attached");
}

TEST_CASE("top: slow is whose lag has grown three times running, and no longer", "[cli]") {
  History history;
  int second = 0;
  const auto look = [&](std::uint64_t lag) {
    TopicSample seen = topic("t", 1000);
    seen.handles = {consumer(lag, 1000 - lag)};
    history.take(sample_at(second++, {seen}));
    return history.facts(0).state.text;
  };
  look(0);
  CHECK(look(10) == "serving");
  CHECK(look(20) == "serving");
  CHECK(look(30) == "slow pid 7");
  CHECK(*history.facts(0).lag == 30);
  CHECK(look(30) == "serving");
}

TEST_CASE("top: lines are sorted by numbers from the largest, by text from A, or round", "[cli]") {
  const History history = traffic();
  CHECK(names(table_of(history, {.sort = 1})) == std::vector<std::string>{"a", "c", "b"});
  CHECK(names(table_of(history, {.sort = 1, .reversed = true})) ==
        std::vector<std::string>{"b", "c", "a"});
  CHECK(names(table_of(history, {.sort = 0})) == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("top: a filter lets through whose topic has it in its name", "[cli]") {
  History history;
  history.take(sample_at(0, {topic("plant/press", 0), topic("orders", 0)}));
  CHECK(names(table_of(history, {.filter = "press"})) == std::vector<std::string>{"plant/press"});
  CHECK(table_of(history, {.kind = Kind::partitions, .filter = "x"}).lines.empty());
}

TEST_CASE("top: each view has a field for each of its headings", "[cli]") {
  TopicSample seen = topic("t", 3);
  HandleSample producer = consumer(0, 0);
  producer.role = layout::Role::producer;
  seen.handles = {consumer(1, 2), producer};
  TopicSample hidden;
  hidden.name = "u";
  hidden.trouble = "no right to read it";
  History history;
  history.take(sample_at(0, {seen, hidden}));
  for (const Kind kind : {Kind::topics, Kind::partitions, Kind::consumers, Kind::producers}) {
    const Table table = table_of(history, {.kind = kind});
    CHECK(table.lines.size() == (kind == Kind::topics ? 2 : 1));
    for (const Line& line : table.lines) CHECK(line.fields.size() == table.headings.size());
  }
}

TEST_CASE("top: keys choose view, column, order and filter", "[cli]") {
  Controls controls;
  press(controls, "3s");
  CHECK(controls.choice().kind == Kind::consumers);
  CHECK(controls.choice().sort == 6);
  press(controls, "SSr");
  CHECK(controls.choice().sort == 4);
  CHECK(controls.choice().reversed);
  controls.press({Key::Name::tab});
  CHECK(controls.choice().kind == Kind::producers);
  press(controls, "/qp");  // no commands while it is typed
  controls.press({Key::Name::backspace});
  controls.press({Key::Name::enter});
  CHECK(controls.choice().filter == "q");
  CHECK_FALSE(controls.quits());
  press(controls, "1");
  CHECK(controls.choice().filter == "q");  // the same in every view
  press(controls, "/x");
  controls.press({Key::Name::escape});
  CHECK(controls.choice().filter == "q");
  controls.press({Key::Name::escape});
  CHECK(controls.choice().filter.empty());
  press(controls, "p");
  CHECK(controls.paused());
  press(controls, "hz");
  CHECK_FALSE(controls.help());
  press(controls, "q");
  CHECK(controls.quits());
}

TEST_CASE("top: scrolling stays within the lines, also when these become fewer", "[cli]") {
  Controls controls;
  CHECK(controls.first_line(100, 10) == 0);
  controls.press({Key::Name::page_down});
  CHECK(controls.first_line(100, 10) == 10);
  controls.press({Key::Name::end});
  CHECK(controls.first_line(100, 10) == 90);
  controls.press({Key::Name::up});
  CHECK(controls.first_line(100, 10) == 89);
  CHECK(controls.first_line(5, 10) == 0);
  controls.press({Key::Name::up});
  CHECK(controls.first_line(5, 10) == 0);
}

TEST_CASE("top: figures are short and tell what is compared", "[cli]") {
  CHECK(compact(0) == "0");
  CHECK(compact(0.5) == "0.50");
  CHECK(compact(999) == "999");
  CHECK(compact(999.7) == "1.00k");
  CHECK(compact(1234) == "1.23k");
  CHECK(compact(45'600'000) == "45.6M");
  CHECK(compact_bytes(512) == "512 B");
  CHECK(compact_bytes(1536) == "1.50 KiB");
  CHECK(compact_bytes(373'000'000) == "356 MiB");
  CHECK(offset_text(999'999'999) == "999999999");
  CHECK(offset_text(12'345'678'901) == "12.346G");
}

TEST_CASE("top: a sparkline ends with the newest value, beside the largest", "[cli]") {
  CHECK(sparkline({0, 1, 8}, 5, Characters::ascii) == "   .@");
  CHECK(sparkline({1, 2, 4, 8}, 2, Characters::utf8) == "▄█");
  CHECK(sparkline({}, 3, Characters::utf8) == "   ");
  CHECK(sparkline({0, 0}, 2, Characters::ascii) == "  ");
}

TEST_CASE("top: a table fits any screen, and what may be left out goes first", "[cli]") {
  TopicSample seen = topic(std::string(60, 'n'), 3'000'000);
  seen.partitions[0].hold = layout::Hold::slow_consumer;
  seen.partitions[0].hold_pid = 1234567;
  History history;
  history.take(sample_at(0, {seen}));
  const Table table = table_of(history, {.sort = 1});
  for (std::size_t width = 1; width < 200; ++width) {
    const Fitted fitted = fit(table, width);
    CHECK(width_of(text_of(table, fitted, nullptr, width, Characters::utf8)) <= width);
    CHECK(width_of(text_of(table, fitted, &table.lines[0], width, Characters::ascii)) <= width);
  }
  const std::string at_80 = text_of(table, fit(table, 80), nullptr, 80, Characters::ascii);
  for (const char* heading : {"TOPIC", "REC/S", "LAG", "FILL", "COMMITTED", "DURABLE", "STATE"}) {
    CHECK_THAT(at_80, Catch::Contains(heading));
  }
  CHECK_THAT(text_of(table, fit(table, 160), nullptr, 160, Characters::ascii),
             Catch::Contains("PARTS") && Catch::Contains("TREND"));
}

TEST_CASE("top: what others wrote cannot steer the terminal", "[cli]") {
  CHECK(printable("a\033[2Jb\n", Characters::utf8) == "a?[2Jb?");
  CHECK(printable("größe", Characters::utf8) == "größe");
  CHECK(printable("gr\xC3", Characters::utf8) == "gr?");
  CHECK(printable("größe", Characters::ascii) == "gr????e");
  CHECK(cut("größe", 3) == "gr~");
  CHECK(cut("größe", 4) == "grö~");
}

}  // namespace cli_top_test
