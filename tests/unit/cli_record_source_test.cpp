#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"
#include "tools/escape.hpp"
#include "tools/record_source.hpp"

namespace cli_record_source_test {

using namespace ringway;
using namespace ringway::cli;
using namespace std::string_literals;

namespace {

class TempDirectory {
 public:
  std::string file(const std::string& name, std::string_view bytes) const {
    const std::string path = directory_ / name;
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
    return path;
  }
  std::string path(const std::string& name) const { return directory_ / name; }

 private:
  test::TemporaryDirectory directory_;
};

using Records = std::vector<std::pair<std::optional<std::string>, std::string>>;

Records read_all(std::vector<std::string> files, SourceOptions options) {
  RecordSource source(std::move(files), std::move(options));
  Records records;
  InputRecord record;
  while (source.next(record) == RecordSource::Outcome::record) {
    records.emplace_back(record.has_key ? std::optional(std::string(record.key)) : std::nullopt,
                         record.value);
  }
  CHECK(source.next(record) == RecordSource::Outcome::end);
  return records;
}

Records values(std::initializer_list<std::string> texts) {
  Records records;
  for (const std::string& text : texts) records.emplace_back(std::nullopt, text);
  return records;
}

Error refusal(std::vector<std::string> files, SourceOptions options) {
  try {
    read_all(std::move(files), std::move(options));
  } catch (const Error& error) {
    return error;
  }
  FAIL("accepted");
  throw std::logic_error("unreachable");
}

std::string prefixed(const std::string& body) {
  std::string framed;
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed.push_back(static_cast<char>(body.size() >> shift & 0xff));
  }
  return framed + body;
}

}  // namespace

TEST_CASE("record source: a record a line, whatever the buffer cuts", "[cli]") {
  const TempDirectory directory;
  const std::pair<std::string, Records> inputs[] = {
      {"", {}},
      {"\n", values({""})},
      {"\n\n", values({"", ""})},
      {"a", values({"a"})},
      {"a\n", values({"a"})},
      {"a\nb", values({"a", "b"})},
      {"a\n\nb\n", values({"a", "", "b"})},
      {"\r\n\0x\n"s, values({"\r", "\0x"s})},
      {"a long line indeed\nshort\n", values({"a long line indeed", "short"})},
  };
  for (const auto& [text, expected] : inputs) {
    const std::string file = directory.file("in", text);
    for (const std::size_t buffer : {1, 4, 5, 7, 64, 4096}) {
      INFO("input '" << text << "', buffer " << buffer);
      CHECK(read_all({file}, {.buffer_bytes = buffer}) == expected);
    }
  }
}

TEST_CASE("record source: a delimiter of many bytes is found across reads", "[cli]") {
  const TempDirectory directory;
  const std::string file = directory.file("in", "a<->b<-<->\n<-><");
  for (const std::size_t buffer : {1, 4, 5, 6, 7, 8, 64}) {
    INFO("buffer " << buffer);
    CHECK(read_all({file}, {.delimiter = "<->", .buffer_bytes = buffer}) ==
          values({"a", "b<-", "\n", "<"}));
  }
  CHECK(read_all({directory.file("z", "a\0b\0"s)}, {.delimiter = "\0"s}) == values({"a", "b"}));
}

TEST_CASE("record source: files follow one another and never share a record", "[cli]") {
  const TempDirectory directory;
  const std::string first = directory.file("1", "a\nb");
  const std::string empty = directory.file("2", "");
  const std::string last = directory.file("3", "c\n");
  CHECK(read_all({first, empty, last}, {}) == values({"a", "b", "c"}));
}

TEST_CASE("record source: keys split at the first delimiter", "[cli]") {
  const TempDirectory directory;
  const std::string file = directory.file("in", "k:v\n:v\nk:\n:\nk:a:b\n");
  CHECK(read_all({file}, {.key_delimiter = ":"}) ==
        Records{{"k", "v"}, {"", "v"}, {"k", ""}, {"", ""}, {"k", "a:b"}});
  CHECK(read_all({directory.file("wide", "a=>b=>c")}, {.key_delimiter = "=>"}) ==
        Records{{"a", "b=>c"}});
}

TEST_CASE("record source: a line without its key delimiter names line and file", "[cli]") {
  const TempDirectory directory;
  const std::string good = directory.file("good", "a:b\n");
  const std::string bad = directory.file("bad", "k:v\nk:v\nnone\n");
  const Error error = refusal({good, bad}, {.key_delimiter = ":"});
  CHECK(error.code() == ErrorCode::failed);
  CHECK(error.thing() == bad + ", line 3");
  CHECK(refusal({directory.file("r", "k:v;none")}, {.delimiter = ";", .key_delimiter = ":"})
            .thing()
            .ends_with(", record 2"));
  CHECK(refusal({directory.file("e", "k:v\n\n")}, {.key_delimiter = ":"})
            .thing()
            .ends_with(", line 2"));
}

TEST_CASE("record source: length-prefixed records hold any bytes", "[cli]") {
  const TempDirectory directory;
  const std::string file = directory.file(
      "in", prefixed("a\nb") + prefixed("") + prefixed(std::string(1000, 'x')) + prefixed("k:v"));
  for (const std::size_t buffer : {1, 5, 64, 4096}) {
    CHECK(read_all({file}, {.framing = Framing::length_prefixed, .buffer_bytes = buffer}) ==
          values({"a\nb", "", std::string(1000, 'x'), "k:v"}));
  }
  CHECK(read_all({directory.file("k", prefixed("k:v"))},
                 {.framing = Framing::length_prefixed, .key_delimiter = ":"}) ==
        Records{{"k", "v"}});
}

TEST_CASE("record source: a cut length or body is an error, not a record", "[cli]") {
  const TempDirectory directory;
  const std::string whole = prefixed("hello");
  for (std::size_t bytes = 1; bytes < whole.size(); ++bytes) {
    const Error error = refusal({directory.file("in", prefixed("ok") + whole.substr(0, bytes))},
                                {.framing = Framing::length_prefixed});
    CHECK(error.thing().ends_with(", record 2"));
    CHECK(error.rule().find("ends after") != std::string::npos);
  }
}

TEST_CASE("record source: the largest record passes and the next size is refused", "[cli]") {
  const TempDirectory directory;
  const std::string largest(1000, 'x');
  for (const std::size_t buffer : {16, 4096}) {
    const SourceOptions options{.record_bytes_max = 1000, .buffer_bytes = buffer};
    CHECK(read_all({directory.file("in", largest + "\n" + largest)}, options) ==
          values({largest, largest}));
    for (const char* end : {"", "\n", "yyyyyyyyyyyyyyyyyy\nz\n"}) {
      const Error error = refusal({directory.file("big", "a\n" + largest + "y" + end)}, options);
      CHECK(error.code() == ErrorCode::limit);
      CHECK(error.thing().ends_with(", line 2"));
      CHECK(error.rule().find("1000") != std::string::npos);
    }
    SourceOptions framed = options;
    framed.framing = Framing::length_prefixed;
    CHECK(read_all({directory.file("p", prefixed(largest))}, framed) == values({largest}));
    CHECK(refusal({directory.file("q", "\xff\xff\xff\xff")}, framed).code() == ErrorCode::limit);
  }
}

TEST_CASE("record source: what cannot be read is told before anything is read", "[cli]") {
  const TempDirectory directory;
  const std::string good = directory.file("good", "a\n");
  CHECK_THROWS_AS(RecordSource({good, directory.path("missing")}, {}), Error);
  CHECK_THROWS_AS(RecordSource({good}, {.delimiter = ""}), Error);
  CHECK_THROWS_AS(RecordSource({good}, {.key_delimiter = ""}), Error);
  CHECK(refusal({directory.path(".")}, {}).thing() == directory.path("."));
}

TEST_CASE("record source: a hook runs before each wait, with every record handed out", "[cli]") {
  const TempDirectory directory;
  const std::string pipe = directory.path("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  // The writer sends a line only when the reader, about to wait, asked for it.
  int writer = -1;
  int sent = 0;
  std::vector<std::size_t> seen_at_wait;
  std::size_t seen = 0;
  std::thread opener([&] { writer = open(pipe.c_str(), O_WRONLY | O_CLOEXEC); });
  SourceOptions options;
  options.before_read = [&] {
    if (opener.joinable()) opener.join();
    seen_at_wait.push_back(seen);
    if (sent == 3) {
      close(writer);
    } else {
      ++sent;
      CHECK(write(writer, "a\nb\n", 4) == 4);
    }
    return true;
  };
  RecordSource source({pipe}, options);
  InputRecord record;
  while (source.next(record) == RecordSource::Outcome::record) ++seen;
  CHECK(seen_at_wait == std::vector<std::size_t>{0, 2, 4, 6});
}

TEST_CASE("record source: who says no before a read is asked again", "[cli]") {
  const TempDirectory directory;
  SourceOptions options;
  bool may_read = false;
  options.before_read = [&] { return may_read; };
  RecordSource source({directory.file("in", "a\n")}, options);
  InputRecord record;
  CHECK(source.next(record) == RecordSource::Outcome::interrupted);
  may_read = true;
  CHECK(source.next(record) == RecordSource::Outcome::record);
  CHECK(record.value == "a");
}

TEST_CASE("record source: random records survive random buffers and delimiters", "[cli]") {
  const TempDirectory directory;
  const std::uint64_t seed = 1618;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 300; ++i) {
    const std::string delimiter = std::string("abab").substr(0, random() % 4 + 1);
    const bool framed = random() % 2 == 0;
    Records expected;
    std::string input;
    for (std::uint64_t records = random() % 40; records > 0; --records) {
      // Letters that make near misses of the delimiter, and never a whole one.
      std::string body(random() % 50, 'x');
      for (char& c : body) c = framed ? static_cast<char>(random()) : "bxy"[random() % 3];
      expected.emplace_back(std::nullopt, body);
      input += framed ? prefixed(body) : body + delimiter;
    }
    if (!framed && delimiter.find('b') == std::string::npos) expected.clear(), input.clear();
    const auto records =
        read_all({directory.file("in", input)},
                 {.framing = framed ? Framing::length_prefixed : Framing::delimited,
                  .delimiter = delimiter,
                  .buffer_bytes = random() % 64 + 1});
    if (records != expected) FAIL("iteration " << i);
  }
}

TEST_CASE("escapes: delimiters are written as in rpk", "[cli]") {
  CHECK(unescape("-D", R"(\n)") == "\n");
  CHECK(unescape("-D", R"(a\t\r\\\x1e\0)") == "a\t\r\\\x1e\0"s);
  for (const std::string_view text : {"\\", R"(\q)", R"(\x1)", R"(\xg0)", R"(ab\)"}) {
    CHECK_THROWS_AS(unescape("-D", text), Error);
  }
}

}  // namespace cli_record_source_test
