#include <catch2/catch.hpp>
#include <limits>
#include <random>

#include "ringway/error.hpp"
#include "tools/timestamp.hpp"

namespace cli_timestamp_test {

using namespace ringway;
using namespace ringway::cli;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kValentine = 1'707'906'600 * kSecond;  // 2024-02-14T10:30:00Z

std::int64_t time_of(std::string_view text) {
  const TimePrefix time = read_time("--at", text, 0);
  CHECK(time.characters == text.size());
  return time.ns;
}

}  // namespace

TEST_CASE("timestamp: RFC 3339, a day, Unix seconds and milliseconds", "[cli]") {
  const std::pair<std::string_view, std::int64_t> times[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2024-02-14T10:30:00Z", kValentine},
      {"2024-02-14t10:30:00z", kValentine},
      {"2024-02-14T16:00:00+05:30", kValentine},
      {"2024-02-14T05:30:00-05:00", kValentine},
      {"2024-02-14T10:30:00.5Z", kValentine + kSecond / 2},
      {"2024-02-14T10:30:00.123456789Z", kValentine + 123'456'789},
      {"2024-02-14T10:30:00.1234567899Z", kValentine + 123'456'789},
      {"2024-02-14", kValentine - 37'800 * kSecond},
      {"2024-02-29", 1'709'164'800 * kSecond},
      {"2016-12-31T23:59:60Z", 1'483'228'800 * kSecond},
      {"1969-12-31T23:59:59Z", -kSecond},
      {"0", 0},
      {"2024", 2024 * kSecond},
      {"1707906600", kValentine},
      {"1707906600000", kValentine},
      {"1707906600001", kValentine + 1'000'000},
      {"9223372036", 9'223'372'036 * kSecond},
      {"10000000000", 10'000'000 * kSecond},
  };
  for (const auto& [text, ns] : times) {
    INFO("text: '" << text << "'");
    CHECK(time_of(text) == ns);
  }
}

TEST_CASE("timestamp: anything else is refused with its place", "[cli]") {
  for (const std::string_view text : {"",
                                      "now",
                                      "-1",
                                      "+1",
                                      "1.5",
                                      "2024-",
                                      "2024-02",
                                      "2024-2-14",
                                      "2024-02-30",
                                      "2023-02-29",
                                      "2024-13-01",
                                      "2024-00-01",
                                      "2024-02-00",
                                      "2024-02-14T",
                                      "2024-02-14T10:30",
                                      "2024-02-14T10:30:00",
                                      "2024-02-14T24:00:00Z",
                                      "2024-02-14T10:60:00Z",
                                      "2024-02-14T10:30:61Z",
                                      "2024-02-14T10:30:00.Z",
                                      "2024-02-14T10:30:00+0530",
                                      "2024-02-14T10:30:00+05",
                                      "2024-02-14 10:30:00Z",
                                      "2024-02-14T10:30:00Z ",
                                      "2024-02-14x",
                                      "1600-01-01",
                                      "9999-12-31",
                                      "9223372037",
                                      "9999999999",
                                      "9223372036855",
                                      "99999999999999999999"}) {
    INFO("text: '" << text << "'");
    try {
      static_cast<void>(time_of(text));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK(error.thing() == "--at '" + std::string(text) + "'");
      CHECK_FALSE(error.fix().empty());
    }
  }
}

TEST_CASE("timestamp: what is printed is parsed to the same nanosecond", "[cli]") {
  const std::uint64_t seed = 7;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::string text;
  for (int i = 0; i < 10'000; ++i) {
    const auto ns = static_cast<std::int64_t>(random());
    text.clear();
    append_rfc3339(text, ns);
    if (text.size() != 30 || time_of(text) != ns) FAIL(text);
  }
  text.clear();
  append_rfc3339(text, kValentine + 5);
  CHECK(text == "2024-02-14T10:30:00.000000005Z");
}

TEST_CASE("timestamp: the earliest and the latest are shown", "[cli]") {
  std::string text;
  append_rfc3339(text, INT64_MIN);
  append_rfc3339(text, -1);
  append_rfc3339(text, INT64_MAX);
  CHECK(
      text ==
      "1677-09-21T00:12:43.145224192Z1969-12-31T23:59:59.999999999Z2262-04-11T23:47:16.854775807Z");
}

}  // namespace cli_timestamp_test
