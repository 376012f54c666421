#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "tools/encode.hpp"
#include "tools/json_record.hpp"

namespace cli_json_record_test {

using namespace ringway::cli;
using namespace std::string_literals;

namespace {

std::string json_of(std::string_view bytes) {
  std::string out;
  append_json_bytes(out, bytes);
  return out;
}

std::string line_of(const RecordFields& record, Detail detail = Detail::all) {
  std::string out;
  append_json_record(out, record, detail);
  return out;
}

/// Base64 backwards, independently of the encoder.
std::string from_base64(const std::string& text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 |
           static_cast<std::uint32_t>(
               std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
                   .find(c));
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("json record: the line has the members of the contract in their order", "[cli]") {
  const std::array<HeaderField, 2> headers{{{"a", "1"}, {"", "\xfe"}}};
  const RecordFields record{.topic = "sensors/π",
                            .partition = 2,
                            .producer = 9,
                            .offset = 18'446'744'073'709'551'615u,
                            .timestamp_ns = -5,
                            .has_key = true,
                            .key = "k",
                            .value = "v\n",
                            .headers = headers};
  CHECK(line_of(record) ==
        R"({"topic":"sensors/π","partition":2,"offset":18446744073709551615,"timestamp_ns":-5,)"
        R"("producer":9,"key":"k","value":"v\n",)"
        R"("headers":[{"key":"a","value":"1"},{"key":"","value":{"base64":"/g=="}}]})"
        "\n");
  CHECK(line_of(record, Detail::meta_only) ==
        R"({"topic":"sensors/π","partition":2,"offset":18446744073709551615,"timestamp_ns":-5,)"
        R"("producer":9,"key":"k",)"
        R"("headers":[{"key":"a","value":"1"},{"key":"","value":{"base64":"/g=="}}]})"
        "\n");
}

TEST_CASE("json record: no key is null, an empty one is not", "[cli]") {
  RecordFields record{.topic = "t"};
  CHECK(line_of(record).find(R"("key":null,"value":"","headers":[])") != std::string::npos);
  record.has_key = true;
  CHECK(line_of(record).find(R"("key":"","value":"")") != std::string::npos);
}

TEST_CASE("json: control characters, quotes and backslashes are escaped", "[cli]") {
  CHECK(json_of("") == R"("")");
  CHECK(json_of("a\"b\\c/") == R"("a\"b\\c/")");
  CHECK(json_of("\b\f\n\r\t") == R"("\b\f\n\r\t")");
  CHECK(json_of("\0\x1f\x7f"s) == "\"\\u0000\\u001f\x7f\"");
  CHECK(json_of("12345678\n12345678") == R"("12345678\n12345678")");
}

TEST_CASE("json: what is not strict UTF-8 becomes base64 as a whole", "[cli]") {
  for (const std::string_view text :
       {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "1234567\xc3\xa4", "\xe2\x82\xac"}) {
    CHECK(json_of(text) == fmt::format("\"{}\"", text));
  }
  for (const std::string_view text : {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xc2\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xe2\x82\x41",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xf0\x90\x80",
                                      "\xfe",
                                      "\xff",
                                      "12345678\n\"\xff",
                                      "\xf8\x88\x80\x80\x80"}) {
    const std::string out = json_of(text);
    REQUIRE(out.starts_with(R"({"base64":")"));
    CHECK(from_base64(nlohmann::json::parse(out)["base64"]) == text);
  }
}

TEST_CASE("json: any bytes come back from an independent parser", "[cli]") {
  const std::uint64_t seed = 2718;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr std::string_view kPieces[] = {"plain text", "\"", "\\",   "\n",       "\x01", "ä",
                                          "€",          "😀", "\xff", "\xe2\x82", "\x7f"};
  int encoded = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    const std::size_t usable = random() % 2 == 0 ? std::size(kPieces) : 8;  // 8: valid UTF-8 only
    for (std::uint64_t pieces = random() % 12; pieces > 0; --pieces) {
      bytes += kPieces[random() % usable];
    }
    const auto parsed = nlohmann::json::parse(json_of(bytes));
    if (parsed.is_object()) ++encoded;
    const std::string back =
        parsed.is_object() ? from_base64(parsed["base64"]) : parsed.get<std::string>();
    if (back != bytes) FAIL(json_of(bytes));
  }
  CHECK(encoded > 0);
}

TEST_CASE("encode: base64 and hex of the RFC's vectors", "[cli]") {
  const std::tuple<std::string_view, std::string_view, std::string_view> vectors[] = {
      {"", "", ""},
      {"f", "Zg==", "66"},
      {"fo", "Zm8=", "666f"},
      {"foo", "Zm9v", "666f6f"},
      {"foob", "Zm9vYg==", "666f6f62"},
      {"\xfb\xff\xfe", "+//+", "fbfffe"}};
  for (const auto& [bytes, base64, hex] : vectors) {
    std::string out = "x";
    append_base64(out, bytes, Padding::equals);
    CHECK(out == fmt::format("x{}", base64));
    out.clear();
    append_base64(out, bytes, Padding::none);
    CHECK(out == base64.substr(0, base64.find('=')));
    out.clear();
    append_hex(out, bytes);
    CHECK(out == hex);
  }
}

}  // namespace cli_json_record_test
