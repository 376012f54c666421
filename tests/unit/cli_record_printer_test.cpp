#include <catch2/catch.hpp>
#include <cstddef>
#include <string>

#include "ringway/error.hpp"
#include "tools/record_printer.hpp"

namespace cli_record_printer_test {

using namespace ringway;
using cli::Detail;
using cli::Format;
using cli::RecordPrinter;

namespace {

/// Key "k", value "v", the header h=1.
RecordView record() {
  static const std::string body = std::string("vk") + '\1' + '\0' + '\1' + '\0' + "h1";
  return {reinterpret_cast<const std::byte*>(body.data()), 1, 1, 6, true, 9, 1'000'000'000, 5, 2};
}

std::string printed(Format output, const std::string& format, Detail detail, int records) {
  RecordPrinter printer("t", output, format, detail);
  std::string out;
  for (int i = 0; i < records; ++i) printer.append(out, record());
  printer.end(out);
  return out;
}

}  // namespace

TEST_CASE("record printer: values by default, else what the format says", "[cli]") {
  CHECK(printed(Format::table, "", Detail::all, 2) == "v\nv\n");
  CHECK(printed(Format::table, "%t %p %o %k %x %h{%k=%v}\\n", Detail::all, 1) == "t 2 5 k 9 h=1\n");
  CHECK(printed(Format::table, "", Detail::meta_only, 1) ==
        "2\t5\t1970-01-01T00:00:01.000000000Z\t1\t1\n");
}

TEST_CASE("record printer: without values a format prints the rest", "[cli]") {
  CHECK(printed(Format::table, "%o[%v]%V %k %h{%k=%v}\\n", Detail::meta_only, 1) == "5[]1 k h=1\n");
}

TEST_CASE("record printer: json is one array, jsonl an object a line", "[cli]") {
  const std::string object = printed(Format::jsonl, "", Detail::all, 1);
  CHECK(object == R"({"topic":"t","partition":2,"offset":5,"timestamp_ns":1000000000,"producer":9,)"
                  R"("key":"k","value":"v","headers":[{"key":"h","value":"1"}]})"
                  "\n");
  const std::string bare = object.substr(0, object.size() - 1);
  CHECK(printed(Format::json, "", Detail::all, 0) == "[]\n");
  CHECK(printed(Format::json, "", Detail::all, 2) == "[\n" + bare + ",\n" + bare + "\n]\n");
}

TEST_CASE("record printer: what is taken back leaves no trace", "[cli]") {
  RecordPrinter printer("t", Format::json, "", Detail::all);
  std::string out;
  const RecordPrinter::Mark mark = printer.mark(out);
  printer.append(out, record());
  printer.rewind(out, mark);
  printer.end(out);
  CHECK(out == "[]\n");
}

TEST_CASE("record printer: what contradicts itself is refused", "[cli]") {
  CHECK_THROWS_AS(RecordPrinter("t", Format::jsonl, "%v", Detail::all), Error);
  CHECK_THROWS_AS(RecordPrinter("t", Format::table, "%q", Detail::all), Error);
}

}  // namespace cli_record_printer_test
