#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "ringway/error.hpp"
#include "tools/record_format_compiler.hpp"

namespace cli_record_format_test {

using namespace ringway;
using namespace ringway::cli;
using namespace std::string_literals;

namespace {

constexpr std::array<HeaderField, 2> kHeaders{{{"trace", "ab"}, {"", "\xff"}}};

RecordFields sample() {
  return {.topic = "orders",
          .partition = 3,
          .producer = 77,
          .offset = 1000,
          .timestamp_ns = 1'707'906'600'123'456'789,  // 2024-02-14T10:30:00.123456789Z
          .has_key = true,
          .key = "k1",
          .value = "hello",
          .headers = kHeaders};
}

std::string rendered(std::string_view text, const RecordFields& record = sample()) {
  std::string out;
  RecordFormat("-f", text).append(out, record);
  return out;
}

}  // namespace

TEST_CASE("record format: every verb, escape and modifier prints what rpk prints", "[cli]") {
  const std::pair<std::string_view, std::string> formats[] = {
      {"", ""},
      {"plain {text}", "plain {text}"},
      {R"(%t %p %o %k %v\n)", "orders 3 1000 k1 hello\n"},
      {"%T %K %V %H %x", "6 2 5 2 77"},
      {R"(a\tb\r\n\\\x00\xfF\0)", "a\tb\r\n\\\0\xff\0"s},
      {"%%%{%}", "%{}"},
      {R"({"k":"%k"})", R"({"k":"k1"})"},
      {"%k{hex} %v{base64} %v{base64raw} %t{hex}", "6b31 aGVsbG8= aGVsbG8 6f7264657273"},
      {"%k%{hex}", "k1{hex}"},
      {"%d", "1707906600123"},
      {"%d{ascii}", "1707906600123"},
      {"%d{ns}", "1707906600123456789"},
      {"%d{rfc3339}", "2024-02-14T10:30:00.123456789Z"},
      {"%d{strftime[%F]}", "2024-02-14"},
      {"%d{strftime{%Y}}", "2024"},
      {"%d{strftime##%H:%M##}", "10:30"},
      {"%d{strftime[[{%T}]]}", "10:30:00"},
      {"%d{strftime{[%T]}}", "10:30:00"},
      {"%d{hex}", "18da72a8cbb"},
      {"%V{big32}%v", "\0\0\0\5hello"s},
      {"%K{little16}%K{byte}%K{big8}%K{little8}", "\2\0\2\2\2"s},
      {"%o{hex} %o{hex64} %o{hex32} %o{hex16} %o{hex8} %o{hex4}",
       "3e8 00000000000003e8 000003e8 03e8 e8 8"},
      {"%o{big64}%o{big16}", "\0\0\0\0\0\0\3\xe8\3\xe8"s},
      {"%o{little64}%o{little32}", "\xe8\3\0\0\0\0\0\0\xe8\3\0\0"s},
      {"%p{ascii}", "3"},
      {"%h{ %k=%v{hex} }", " trace=6162  =ff "},
      {"%h{%K,%V;}%k", "5,2;0,1;k1"},
      {"%h{{%k}}", "{trace}{}"},
      {"%h{%}%{%%}", "}{%}{%"},
      {R"([%h{\n}])", "[\n\n]"},
      {"a%h{b}c", "abbc"},
      {"%h{}", ""},
  };
  for (const auto& [text, expected] : formats) {
    INFO("format: " << text);
    CHECK(rendered(text) == expected);
  }
}

TEST_CASE("record format: no key prints nothing, and appending keeps what was there", "[cli]") {
  const RecordFields empty{};
  CHECK(rendered("[%k][%v][%K][%h{x}][%d]", empty) == "[][][0][][0]");
  std::string out = "kept ";
  RecordFormat("-f", "%v").append(out, sample());
  CHECK(out == "kept hello");
}

TEST_CASE("record format: times before 1970 are rounded as clocks do", "[cli]") {
  RecordFields record = sample();
  record.timestamp_ns = -1;
  CHECK(rendered("%d{strftime[%F %T]}", record) == "1969-12-31 23:59:59");
  CHECK(rendered("%d{rfc3339}", record) == "1969-12-31T23:59:59.999999999Z");
}

TEST_CASE("record format: what is not understood is refused with its position", "[cli]") {
  const std::pair<std::string_view, int> refusals[] = {
      {"%", 1},
      {"ab%", 3},
      {"%q", 1},
      {"%v %e", 4},
      {"%s", 1},
      {R"(\q)", 1},
      {R"(ab\x1)", 3},
      {R"(\xzz)", 1},
      {"\\", 1},
      {"%k{", 4},
      {"%k{hex", 4},
      {"%k{HEX}", 4},
      {"%k{unpack[b]}", 4},
      {"%o{base64}", 4},
      {"%p{big128}", 4},
      {"%v{big32}", 4},
      {"%d{go[2006]}", 4},
      {"%d{strftime}", 12},
      {"%d{strftime[%F}", 12},
      {"%d{strftime[%F]", 16},
      {"%d{strftime[]}", 13},
      {"%d{strftime[%999999Y]}", 13},
      {"%h", 1},
      {"%h %k", 1},
      {"%h{%k", 1},
      {"%h{%t}", 4},
      {"%h{%h{%k}}", 4},
      {"%h{{%k}", 1},
  };
  for (const auto& [text, position] : refusals) {
    INFO("format: " << text);
    try {
      static_cast<void>(RecordFormat("-f", text));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK(error.thing() == "-f '" + std::string(text) + "'");
      CHECK_THAT(error.rule(),
                 Catch::Matchers::EndsWith(" at character " + std::to_string(position)));
    }
  }
}

TEST_CASE("record format: every verb that is taken, and no other, is among the words of the manual",
          "[cli]") {
  std::set<std::string> words;
  for (const FormatWord& each : FormatCompiler::words()) words.insert(each.word);
  const auto taken = [](const std::string& text) {
    try {
      static_cast<void>(RecordFormat("-f", text));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  for (char letter = '!'; letter <= '~'; ++letter) {
    const std::string verb{'%', letter};
    INFO(verb);
    CHECK((taken(verb) || taken(verb + "{}")) == words.contains(verb));
  }
  for (const char* modifier : {"{hex}", "{base64}", "{base64raw}", "{ascii}", "{hex64}", "{big32}",
                               "{little8}", "{byte}", "{ns}", "{rfc3339}", "{strftime[PATTERN]}"}) {
    INFO(modifier);
    CHECK(words.contains(modifier));
  }
  for (const std::string& word : words) {
    INFO(word);
    const bool modifier = word.front() == '{';
    CHECK((!modifier || taken("%k" + word) || taken("%o" + word) || taken("%d" + word)));
  }
}

TEST_CASE("record format: no format makes it do anything but render or refuse", "[cli]") {
  const std::uint64_t seed = 31337;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr std::string_view kPieces[] = {
      "%",   "%k",          "%v", "%h{", "{", "}",  "hex}",   "base64}", "\\",  "\\n",
      "x41", "%d{strftime", "[",  "]",   "#", "%T", "big32}", "a",       "%o{", "%%"};
  std::string out;
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (std::uint64_t pieces = random() % 12; pieces > 0; --pieces) {
      text += kPieces[random() % std::size(kPieces)];
    }
    try {
      out.clear();
      RecordFormat("-f", text).append(out, sample());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) FAIL(error.what());
    }
  }
}

}  // namespace cli_record_format_test
