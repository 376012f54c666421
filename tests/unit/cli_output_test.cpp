#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>

#include "tools/failure.hpp"
#include "tools/output.hpp"
#include "tools/redrawn_block.hpp"
#include "tools/terminal.hpp"

namespace cli_output_test {

using namespace ringway;
using namespace ringway::cli;

namespace {

Rows topics() {
  Rows rows{{"TOPIC", "topic"}, {"RING", "ring_bytes", Align::right}, {"HELD BY", "pid"}};
  rows.add({Cell::of_text("orders"), Cell::of_bytes(16 << 20), Cell::none()});
  rows.add({Cell::of_text("größe"), Cell::of_bytes(65536), Cell::of_number(4711)});
  return rows;
}

}  // namespace

TEST_CASE("output: rows print as an aligned table, an array, and a line each", "[cli]") {
  CHECK(topics().render(Format::table, Style::plain) ==
        "TOPIC     RING  HELD BY\n"
        "orders  16 MiB  -\n"
        "größe   64 KiB  4711\n");
  CHECK(topics().render(Format::jsonl, Style::plain) ==
        "{\"topic\":\"orders\",\"ring_bytes\":16777216,\"pid\":null}\n"
        "{\"topic\":\"größe\",\"ring_bytes\":65536,\"pid\":4711}\n");
  const Json parsed = Json::parse(topics().render(Format::json, Style::plain));
  REQUIRE(parsed.size() == 2);
  CHECK(parsed[1]["ring_bytes"] == 65536);
}

TEST_CASE("output: no rows are headings, an empty array, and nothing", "[cli]") {
  const Rows rows{{"TOPIC", "topic"}};
  CHECK(rows.render(Format::table, Style::plain) == "TOPIC\n");
  CHECK(rows.render(Format::json, Style::plain) == "[]\n");
  CHECK(rows.render(Format::jsonl, Style::plain).empty());
}

TEST_CASE("output: colour touches headings only and does not break the columns", "[cli]") {
  const std::string table = topics().render(Format::table, Style::coloured);
  CHECK(table.starts_with("\033[1mTOPIC\033[0m     \033[1mRING\033[0m  "));
  CHECK(table.find("orders  16 MiB  -\n") != std::string::npos);
  CHECK(topics().render(Format::json, Style::coloured).find('\033') == std::string::npos);
}

TEST_CASE("output: a report nests rows and reports in the order added", "[cli]") {
  Report settings;
  settings.add("sync", "sync", Cell::of_text("interval"));
  settings.add("interval", "sync_interval_ns", Cell::of_duration(std::chrono::milliseconds(5)));
  Report report;
  report.add("topic", "topic", Cell::of_text("orders"));
  report.add("persisted", "persisted", Cell::of_truth(true));
  report.add("partitions", "partitions", topics());
  report.add("settings", "settings", settings);
  CHECK(report.render(Format::table, Style::plain) ==
        "topic:     orders\n"
        "persisted: yes\n"
        "\n"
        "partitions\n"
        "TOPIC     RING  HELD BY\n"
        "orders  16 MiB  -\n"
        "größe   64 KiB  4711\n"
        "\n"
        "settings\n"
        "sync:     interval\n"
        "interval: 5 ms\n");
  CHECK(report.render(Format::jsonl, Style::plain) ==
        "{\"topic\":\"orders\",\"persisted\":true,\"partitions\":"
        "[{\"topic\":\"orders\",\"ring_bytes\":16777216,\"pid\":null},"
        "{\"topic\":\"größe\",\"ring_bytes\":65536,\"pid\":4711}],"
        "\"settings\":{\"sync\":\"interval\",\"sync_interval_ns\":5000000}}\n");
}

TEST_CASE("output: foreign text drives neither the terminal nor the JSON", "[cli]") {
  Rows rows{{"USER", "user"}};
  rows.add({Cell::of_text("a\033[2Jb\n\xff")});
  CHECK(rows.render(Format::table, Style::plain) == "USER\na?[2Jb??\n");
  CHECK(Json::parse(rows.render(Format::json, Style::plain))[0]["user"] == "a\033[2Jb\n\uFFFD");
  CHECK(printable("gr\xc3\xbcn\r\x7f|\xc2\x9b|\xff\x9b|\xc3") == "gr\xc3\xbcn??|?|??|?");
}

TEST_CASE("failure: an error is one line that names thing, rule and fix", "[cli]") {
  const Error error(ErrorCode::not_found, "topic 'x'", "does not exist",
                    "ringway topic create \"x\"");
  CHECK(error_line(error, Format::table) ==
        "ringway: topic 'x': does not exist; ringway topic create \"x\"\n");
  CHECK(error_line(error, Format::json) == error_line(error, Format::jsonl));
  CHECK(error_line(error, Format::json) ==
        R"({"error":{"code":"not_found","thing":"topic 'x'","rule":"does not exist",)"
        R"("fix":"ringway topic create \"x\""}})"
        "\n");
}

TEST_CASE("failure: error codes become the documented exit statuses", "[cli]") {
  const std::tuple<ErrorCode, int, std::string_view> codes[] = {
      {ErrorCode::failed, 1, "failed"},
      {ErrorCode::usage, 2, "usage"},
      {ErrorCode::not_found, 3, "not_found"},
      {ErrorCode::denied, 4, "denied"},
      {ErrorCode::timeout, 6, "timeout"},
      {ErrorCode::exists, 1, "exists"},
      {ErrorCode::limit, 1, "limit"},
      {ErrorCode::unavailable, 1, "unavailable"},
      {ErrorCode::incompatible, 1, "incompatible"},
      {ErrorCode::busy, 1, "busy"}};
  for (const auto& [code, status, name] : codes) {
    CHECK(static_cast<int>(exit_of(code)) == status);
    CHECK(name_of(code) == name);
  }
  CHECK(static_cast<int>(exit_of(static_cast<ErrorCode>(200))) == 1);
}

TEST_CASE("terminal: a reader that left is told apart from a failure", "[cli]") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  CHECK(style_of(ends[1]) == Style::plain);
  CHECK(write_all(ends[1], "data") == Written::all);
  close(ends[0]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  CHECK(write_all(ends[1], "data") == Written::closed);
  std::signal(SIGPIPE, before);
  close(ends[1]);
  CHECK_THROWS_AS(write_all(ends[1], "data"), Error);
}

TEST_CASE("output: a block is redrawn from the corner, and no longer than the screen", "[cli]") {
  CHECK(redrawn("a\nb\nc\n", 24) ==
        "\033[H\033[?7la\033[K\r\nb\033[K\r\nc\033[K\033[J\033[?7h");
  CHECK(redrawn("a\nb\nc\n", 2) == "\033[H\033[?7la\033[K\r\nb\033[K\033[J\033[?7h");
}

}  // namespace cli_output_test
