#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <random>
#include <string_view>

#include "ringway/error.hpp"
#include "tools/offset_range.hpp"

namespace cli_offset_range_test {

using namespace ringway;
using namespace ringway::cli;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kNow = 1'800'000'000 * kSecond;
constexpr std::int64_t kValentine = 1'644'796'800 * kSecond;  // 2022-02-14T00:00:00Z
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

Place start(std::uint64_t n = 0) {
  return {Place::Kind::start, n, 0};
}
Place end(std::uint64_t n = 0) {
  return {Place::Kind::end, n, 0};
}
Place at(std::uint64_t n) {
  return {Place::Kind::offset, n, 0};
}
Place when(std::int64_t ns) {
  return {Place::Kind::time, 0, ns};
}

}  // namespace

TEST_CASE("offset range: rpk's grammar means what it means in rpk", "[cli]") {
  const std::pair<std::string_view, OffsetRange> ranges[] = {
      {"start", {start(), {}}},
      {"oldest", {start(), {}}},
      {"end", {end(), {}}},
      {"newest", {end(), {}}},
      {"+3", {start(3), {}}},
      {"+0", {start(), {}}},
      {"-3", {end(3), {}}},
      {"-0", {end(), {}}},
      {"47", {at(47), {}}},
      {"47:", {at(47), {}}},
      {"18446744073709551615", {at(kMax), {}}},
      {":47", {start(), at(47)}},
      {":0", {start(), at(0)}},
      {":end", {start(), end()}},
      {"3:7", {at(3), at(7)}},
      {"3:end", {at(3), end()}},
      {"@1700000000", {when(1'700'000'000 * kSecond), {}}},
      {"@1700000000:", {when(1'700'000'000 * kSecond), {}}},
      {"@1700000000000", {when(1'700'000'000 * kSecond), {}}},
      {"@1700000000:1700000001000", {when(1'700'000'000 * kSecond), when(1'700'000'001 * kSecond)}},
      {"@2022-02-14", {when(kValentine), {}}},
      {"@2022-02-14:", {when(kValentine), {}}},
      {"@2022-02-14:1h", {when(kValentine), when(kValentine + kHour)}},
      {"@2022-02-14T00:00:00Z:2022-02-14T01:00:00Z", {when(kValentine), when(kValentine + kHour)}},
      {"@2022-02-14T05:30:00+05:30:2h", {when(kValentine), when(kValentine + 2 * kHour)}},
      {"@2022-02-14T00:00:00.5Z:end", {when(kValentine + kSecond / 2), end()}},
      {"@-48h:-24h", {when(kNow - 48 * kHour), when(kNow - 24 * kHour)}},
      {"@-5m", {when(kNow - 300 * kSecond), {}}},
      {"@-2d12h", {when(kNow - 60 * kHour), {}}},
      {"@-1m:end", {when(kNow - 60 * kSecond), end()}},
      {"@-1h:1h", {when(kNow - kHour), when(kNow + kHour)}},
      {"@:-1h", {start(), when(kNow - kHour)}},
      {"@:2022-02-14", {start(), when(kValentine)}},
      {"@:end", {start(), end()}},
  };
  for (const auto& [text, range] : ranges) {
    INFO("text: '" << text << "'");
    CHECK(parse_offset_range("-o", text, kNow) == range);
  }
}

TEST_CASE("offset range: what is malformed or empty in itself is refused", "[cli]") {
  for (const std::string_view text : {"",
                                      ":",
                                      "+",
                                      "-",
                                      "x",
                                      "start:",
                                      "end:",
                                      "start:end",
                                      "end:end",
                                      "end:5",
                                      "+1:5",
                                      "-5:-1",
                                      "5:+1",
                                      "1.5",
                                      "3:3",
                                      "7:3",
                                      "3:7:9",
                                      "3-7",
                                      " 3",
                                      "3 ",
                                      "--3",
                                      "+-3",
                                      "18446744073709551616",
                                      "3:18446744073709551616",
                                      "@",
                                      "@:",
                                      "@end",
                                      "@end:1h",
                                      "@:x",
                                      "@now",
                                      "@2022-02-14T00:00:00:1h",
                                      "@2022-02-14:-1h",
                                      "@-24h:-48h",
                                      "@-1h:-1h",
                                      "@1700000001:1700000000",
                                      "@-1h:end:1",
                                      "@-1h:@-1m",
                                      "@5m",
                                      "@5m:10m",
                                      "@2022-02-14:1h:2h",
                                      "@1hr",
                                      "@--1h",
                                      "@+1h",
                                      "@2022-02-30",
                                      "@-106751d:106751d:x"}) {
    INFO("text: '" << text << "'");
    try {
      static_cast<void>(parse_offset_range("-o", text, kNow));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK(error.thing().starts_with("-o '"));
      CHECK_FALSE(error.rule().empty());
      CHECK(error.fix().find("e.g.") != std::string::npos);
    }
  }
}

TEST_CASE("offset range: what is refused is said as it was written", "[cli]") {
  for (const auto& [text, rule] : std::map<std::string_view, std::string_view>{
           {"-3:end", "'-3' begins no range: it stands alone"},
           {"+1:5", "'+1' begins no range: it stands alone"},
           {"@-1h:@-1m", "the @ in front is for both times, as in @-1h:-1m"},
           {"@1h", "lies ahead: so long ago is @-1h"},
           {"@1h:2h", "lies ahead: so long ago is @-1h"}}) {
    try {
      static_cast<void>(parse_offset_range("-o", text, kNow));
      FAIL("accepted: " << text);
    } catch (const Error& error) {
      CHECK(error.rule() == rule);
    }
  }
}

TEST_CASE("offset range: a time beyond what nanoseconds count is refused", "[cli]") {
  const std::int64_t late = std::numeric_limits<std::int64_t>::max() - kSecond;
  CHECK_THROWS_AS(parse_offset_range("-o", "@:2s", late), Error);
  CHECK(parse_offset_range("-o", "@:1s", late).to->time_ns ==
        std::numeric_limits<std::int64_t>::max());
  CHECK_THROWS_AS(parse_offset_range("-o", "@-2s", -late), Error);
}

TEST_CASE("offset range: no text makes the parser do anything but answer or refuse", "[cli]") {
  const std::uint64_t seed = 99;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr std::string_view kPieces[] = {"@",          ":",         "-",  "+",      "end",
                                          "start",      "1",         "42", "1h",     "5m",
                                          "2022-02-14", "T10:00:00", "Z",  "+05:30", "."};
  int accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (std::uint64_t pieces = random() % 7; pieces > 0; --pieces) {
      text += kPieces[random() % std::size(kPieces)];
    }
    try {
      const OffsetRange range = parse_offset_range("-o", text, kNow);
      ++accepted;
      if (range.to && *range.to == range.from) FAIL(text);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) FAIL(error.what());
    }
  }
  CHECK(accepted > 100);
}

}  // namespace cli_offset_range_test
