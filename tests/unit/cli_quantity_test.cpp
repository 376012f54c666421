#include <catch2/catch.hpp>
#include <limits>
#include <random>

#include "ringway/error.hpp"
#include "tools/quantity.hpp"

namespace cli_quantity_test {

using namespace ringway;
using namespace ringway::cli;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

template <typename Parse>
void require_refused(const Parse& parse, std::string_view text) {
  INFO("text: '" << text << "'");
  try {
    parse("--flag", text);
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.thing() == "--flag '" + std::string(text) + "'");
    CHECK_FALSE(error.rule().empty());
    CHECK(error.fix().find("e.g.") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("quantity: a size is an integer with a binary unit", "[cli]") {
  const std::pair<std::string_view, std::uint64_t> sizes[] = {
      {"0", 0},
      {"65536", 65536},
      {"1B", 1},
      {"64KiB", 64 * kKiB},
      {"64K", 64 * kKiB},
      {"16MiB", 16 * kKiB * kKiB},
      {"16 MiB", 16 * kKiB * kKiB},
      {"16M", 16 * kKiB * kKiB},
      {"3GiB", 3 * kKiB * kKiB * kKiB},
      {"3G", 3 * kKiB * kKiB * kKiB},
      {"2T", 2 * kKiB * kKiB * kKiB * kKiB},
      {"007K", 7 * kKiB},
      {"18446744073709551615", kMax},
      {"18446744073709551615B", kMax},
      {"16777215TiB", 16777215 * kKiB * kKiB * kKiB * kKiB},
  };
  for (const auto& [text, bytes] : sizes) {
    INFO("text: '" << text << "'");
    CHECK(parse_size("--ring", text) == bytes);
  }
}

TEST_CASE("quantity: anything else is no size, overflow included", "[cli]") {
  for (const std::string_view text : {"",
                                      " ",
                                      "M",
                                      "-1",
                                      "+1",
                                      "1.5M",
                                      "1e3",
                                      "16MB",
                                      "16KB",
                                      "16mib",
                                      "16 ",
                                      "16  MiB",
                                      " 16M",
                                      "16M ",
                                      "16MiBs",
                                      "0x10",
                                      "18446744073709551616",
                                      "16777216TiB",
                                      "18446744073709551615K",
                                      "99999999999999999999999G"}) {
    require_refused(parse_size, text);
  }
  require_refused(parse_size, std::string_view("1\0K", 3));
}

TEST_CASE("quantity: a duration is integers with units, from large to small", "[cli]") {
  const std::pair<std::string_view, std::chrono::nanoseconds> durations[] = {
      {"0s", 0s},
      {"5us", 5us},
      {"5ms", 5ms},
      {"3s", 3s},
      {"10m", 10min},
      {"2h", 2h},
      {"7d", 168h},
      {"1m3ms", 1min + 3ms},
      {"1h30m", 90min},
      {"1d2h3m4s5ms6us", 26h + 3min + 4s + 5ms + 6us},
      {"106751d", 24h * 106751},
  };
  for (const auto& [text, duration] : durations) {
    INFO("text: '" << text << "'");
    CHECK(parse_duration("--timeout", text) == duration);
  }
}

TEST_CASE("quantity: anything else is no duration, overflow included", "[cli]") {
  for (const std::string_view text :
       {"", "5", "s", "-5s", "+5s", "1.5s", "5 s", "5sec", "5S", "1hr", "30m1h", "1s1s", "5ms ",
        "106752d", "9223372036855s", "18446744073709551616us", "1h30"}) {
    require_refused(parse_duration, text);
  }
}

TEST_CASE("quantity: sizes read well, and whole ones can be parsed again", "[cli]") {
  CHECK(format_size(0) == "0 B");
  CHECK(format_size(1023) == "1023 B");
  CHECK(format_size(1024) == "1 KiB");
  CHECK(format_size(1536) == "1.5 KiB");
  CHECK(format_size(16 * kKiB * kKiB) == "16 MiB");
  CHECK(format_size(kMax) == "16777216 TiB");
  const std::uint64_t seed = 20260101;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t whole = random() % 1023 + 1;
    const std::uint64_t bytes = whole << (random() % 5 * 10);
    CHECK(parse_size("--ring", format_size(bytes)) == bytes);
  }
}

TEST_CASE("quantity: durations read well", "[cli]") {
  CHECK(format_duration(0ns) == "0 s");
  CHECK(format_duration(850ns) == "850 ns");
  CHECK(format_duration(12'500ns) == "12.5 us");
  CHECK(format_duration(5ms) == "5 ms");
  CHECK(format_duration(3'200ms) == "3.2 s");
  CHECK(format_duration(125s) == "2m 5s");
  CHECK(format_duration(2h) == "2h");
  CHECK(format_duration(24h * 7 + 3h) == "7d 3h");
  CHECK(format_duration(-3s) == "-3 s");
  CHECK(format_duration(std::chrono::nanoseconds::min()) == "-106751d 23h");
}

TEST_CASE("quantity: no text makes the parsers do anything but answer or refuse", "[cli]") {
  const std::uint64_t seed = 4711;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr std::string_view kLetters = "0123456789KMGTiBusmhd.-+ e\xff";
  for (int i = 0; i < 100'000; ++i) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = kLetters[random() % kLetters.size()];
    try {
      static_cast<void>(parse_size("-s", text));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) FAIL(error.what());
    }
    try {
      if (parse_duration("-d", text) < 0ns) FAIL(text);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) FAIL(error.what());
    }
  }
}

TEST_CASE("quantity: one is not many", "[cli]") {
  CHECK(counted(0, "record") == "0 records");
  CHECK(counted(1, "record") == "1 record");
  CHECK(counted(2, "record") == "2 records");
}

}  // namespace cli_quantity_test
