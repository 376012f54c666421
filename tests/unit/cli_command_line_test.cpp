#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
#include <sstream>

#include "tools/command_line.hpp"

namespace cli_command_line_test {

using namespace ringway;
using namespace ringway::cli;

namespace {

/// What a descriptor received while this lived.
class Captured {
 public:
  explicit Captured(int fd) : fd_(fd), saved_(dup(fd)), file_(std::tmpfile()) {
    dup2(fileno(file_), fd_);
  }
  ~Captured() {
    dup2(saved_, fd_);
    close(saved_);
    std::fclose(file_);
  }
  std::string text() const {
    std::string bytes(static_cast<std::size_t>(lseek(fileno(file_), 0, SEEK_END)), '\0');
    return pread(fileno(file_), bytes.data(), bytes.size(), 0) < 0 ? "" : bytes;
  }

 private:
  int fd_;
  int saved_;
  std::FILE* file_;
};

struct Result {
  int status;
  std::string out;
  std::string err;
};

struct Seen {
  Common common;
  std::string offset;
  std::string delimiter;
  std::string topic;
  std::string before;
  int runs = 0;
};

/// Runs a command line with two verbs of its own: `topic follow -o OFFSET -D DELIM [TOPIC]`, with
/// flags that need and exclude each other, and `topic must TOPIC --before PLACE`.
Result run(std::vector<const char*> words, Seen& seen) {
  words.insert(words.begin(), "ringway");
  CommandLine line;
  line.noun("topic", "Topics");
  CLI::App& verb = line.verb({.noun = "topic",
                              .name = "follow",
                              .why = "Follow a topic, to see it live. It goes on until Ctrl-C.",
                              .examples = "ringway topic follow -o -3"},
                             [&seen](const Common& common) {
                               ++seen.runs;
                               seen.common = common;
                               if (seen.offset == "gone") {
                                 throw Error(ErrorCode::not_found, "it", "is gone", "look");
                               }
                               if (seen.offset == "bug") throw std::runtime_error("a bug");
                               return seen.offset == "bad" ? Exit::degraded : Exit::ok;
                             });
  verb.add_option("-o", seen.offset, "Where to begin");
  verb.add_option("-D", seen.delimiter, "Delimiter");
  verb.add_option("TOPIC", seen.topic, "Topic");
  bool flag = false;
  CLI::Option* const wide = verb.add_flag("--wide", flag, "All of it");
  verb.add_flag("--deep", flag, "More of it")->needs(wide);
  verb.add_flag("--narrow", flag, "Less of it")->excludes(wide);
  CLI::App& must = line.verb({.noun = "topic", .name = "must", .why = "What must be"},
                             [](const Common&) { return Exit::ok; });
  must.add_option("TOPIC", seen.topic, "Topic")->required();
  must.add_option("--before", seen.before, "What is to go")->type_name("PLACE")->required();
  const Captured out(STDOUT_FILENO);
  const Captured err(STDERR_FILENO);
  const int status = line.run(static_cast<int>(words.size()), words.data());
  return {status, out.text(), err.text()};
}

Result run(std::vector<const char*> words) {
  Seen seen;
  return run(std::move(words), seen);
}

}  // namespace

TEST_CASE("command line: a verb gets its own options and the common ones", "[cli]") {
  Seen seen;
  const Result result = run({"topic", "follow", "-o", "-3", "-D", "-", "--output", "json",
                             "--timeout", "250ms", "--socket", "/tmp/s"},
                            seen);
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  CHECK(seen.runs == 1);
  CHECK(seen.offset == "-3");
  CHECK(seen.delimiter == "-");
  CHECK(seen.common.format == Format::json);
  CHECK(seen.common.timeout == std::chrono::milliseconds(250));
  CHECK(seen.common.names_timeout);
  CHECK(seen.common.socket == "/tmp/s");
  for (const char* offset : {"+3", "-3", "@-48h:-24h", "3:7", ":end", "@2024-02-14T10:30:00Z"}) {
    CHECK(run({"topic", "follow", "-o", offset}, seen).status == 0);
    CHECK(seen.offset == offset);
  }
  CHECK(run({"topic", "follow"}, seen).status == 0);
  CHECK(seen.common.timeout == std::chrono::seconds(10));
  CHECK_FALSE(seen.common.names_timeout);
  CHECK(seen.common.format == Format::table);
}

TEST_CASE("command line: a supervisor that has no time to answer is not asked", "[cli]") {
  Seen seen;
  for (const char* none : {"0s", "0ms", "0h0m"}) {
    const Result result = run({"topic", "follow", "--timeout", none}, seen);
    CHECK(result.status == 2);
    CHECK(result.err == fmt::format("ringway: --timeout {}: in no time nobody can answer; write "
                                    "some, as 10s, or leave it out\n",
                                    none));
  }
  CHECK(seen.runs == 0);
}

TEST_CASE("command line: help and versions go to stdout and succeed", "[cli]") {
  const Result help = run({"--help"});
  CHECK(help.status == 0);
  CHECK(help.out.find("Exit status: 0 ok, 1 error, 2 usage") != std::string::npos);
  CHECK(help.out.find("topic") != std::string::npos);
  const Result verb_help = run({"topic", "follow", "--help"});
  CHECK(verb_help.status == 0);
  CHECK(verb_help.out.find("Follow a topic, to see it live") != std::string::npos);
  CHECK(verb_help.out.find("ringway topic follow -o -3") != std::string::npos);
  CHECK(verb_help.out.find("--timeout") != std::string::npos);
  // What its options take is explained, and nothing else.
  CHECK(verb_help.out.find("DUR is integers with us") != std::string::npos);
  CHECK(verb_help.out.find("SIZE is") == std::string::npos);
  const Result version = run({"--version"});
  CHECK(version.status == 0);
  for (const char* name : {"ringway:", "layout:", "log:", "protocol:"}) {
    CHECK(version.out.find(name) != std::string::npos);
  }
  const Json versions = Json::parse(run({"--version", "--output", "json"}).out);
  CHECK(versions.contains("library"));
  CHECK(versions["layout"] == 1);
}

TEST_CASE("command line: what cannot be parsed exits 2 and runs nothing", "[cli]") {
  const std::vector<std::vector<const char*>> lines = {
      {},
      {"topic"},
      {"nonsense"},
      {"topic", "nonsense"},
      {"topic", "follow", "t", "surplus"},
      {"topic", "follow", "--nonsense"},
      {"topic", "follow", "-o"},
      {"topic", "follow", "--output", "xml"},
      {"topic", "follow", "--timeout", "5"},
  };
  for (const auto& words : lines) {
    Seen seen;
    const Result result = run(words, seen);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("ringway: "));
    CHECK(result.err.find('\n') == result.err.size() - 1);
    CHECK(seen.runs == 0);
  }
  CHECK(run({"nonsense"}).err.find("'nonsense'") != std::string::npos);
  CHECK(run({"topic", "nonsense"}).err.find("'nonsense'") != std::string::npos);
}

TEST_CASE("command line: who cannot be understood is told what to write", "[cli]") {
  const std::vector<std::pair<std::vector<const char*>, std::string>> refusals = {
      {{}, "command line: a subcommand is missing; write one of topic; see ringway --help"},
      {{"topic"}, "topic: a subcommand is missing; write one of follow, must; see ringway topic "
                  "--help"},
      {{"topik"}, "'topik': is no subcommand of ringway; did you mean topic? see ringway --help"},
      {{"topic", "fellow"},
       "'fellow': is no subcommand of ringway topic; did you mean follow? see ringway topic "
       "--help"},
      {{"topic", "abcdef"},
       "'abcdef': is no subcommand of ringway topic; see ringway topic --help"},
      {{"topic", "follow", "t", "u"},
       "'u': is one word too many; write: ringway topic follow [OPTIONS] [TOPIC]"},
      {{"topic", "follow", "--sockt", "x"},
       "--sockt: is no option of ringway topic follow; did you mean --socket? see ringway topic "
       "follow --help"},
      {{"topic", "follow", "--sockt=x"},
       "--sockt: is no option of ringway topic follow; did you mean --socket? see ringway topic "
       "follow --help"},
      {{"topic", "follow", "--kilo=x"},
       "--kilo: is no option of ringway topic follow; see ringway topic follow --help"},
      {{"--socket", "x", "topic", "follow"},
       "--socket: stands before the verb whose option it is; write it behind: ringway topic follow "
       "--socket ..."},
      {{"topic", "follow", "--socket"}, "--socket: its value is missing; write --socket PATH"},
      {{"topic", "follow", "-o", "1", "-o", "2"},
       "-o: is given more than once; leave all but one of them out"},
      {{"topic", "follow", "--deep"},
       "--deep: needs --wide; add that, or leave --deep out"},
      {{"topic", "follow", "--narrow", "--wide"},
       "--wide: cannot stand beside --narrow; leave one of them out"},
      {{"topic", "must"},
       "topic must: TOPIC is missing; write: ringway topic must [OPTIONS] TOPIC"},
      {{"topic", "must", "t"},
       "topic must: --before is missing; add --before PLACE; see ringway topic must --help"},
  };
  for (const auto& [words, told] : refusals) {
    const Result result = run(words);
    CHECK(result.status == 2);
    CHECK(result.err == "ringway: " + told + "\n");
  }
}

TEST_CASE("command line: help is as wide as a terminal, and a list has beginnings", "[cli]") {
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{"--help"}, {"topic", "follow", "--help"}}) {
    std::istringstream help(run(words).out);
    for (std::string line; std::getline(help, line);) {
      CHECK(line.size() <= 80);
      CHECK(!line.ends_with(' '));
    }
  }
  const std::string list = run({"topic", "--help"}).out;
  CHECK(list.find("  follow                  Follow a topic, to see it live\n") !=
        std::string::npos);
  CHECK(run({"topic", "follow", "--help"}).out.find("It goes on until Ctrl-C") !=
        std::string::npos);
  const std::string must = run({"topic", "must", "--help"}).out;
  CHECK(must.find("  --before PLACE          What is to go. Must be given\n") != std::string::npos);
}

TEST_CASE("command line: help and then a verb is that verb's --help", "[cli]") {
  CHECK(run({"help"}).out == run({"--help"}).out);
  CHECK(run({"help", "topic"}).out == run({"topic", "--help"}).out);
  CHECK(run({"help", "topic", "follow"}).out == run({"topic", "follow", "--help"}).out);
  CHECK(run({"help", "topic", "follow"}).status == 0);
  using Words = std::vector<const char*>;
  for (const Words& words :
       {Words{"help", "topic", "folow"}, Words{"topic", "folow", "--help"}}) {
    const Result result = run(words);
    CHECK(result.status == 2);
    CHECK(result.err == "ringway: 'folow': is no subcommand of ringway topic; did you mean follow? "
                        "see ringway topic --help\n");
  }
}

TEST_CASE("command line: an option's empty value is refused and named", "[cli]") {
  Seen seen;
  const Result result = run({"topic", "follow", "-o", "1", "-D", ""}, seen);
  CHECK(result.status == 2);
  CHECK(result.err == "ringway: -D '': its value is empty; write one, or leave the option out\n");
  CHECK(run({"topic", "follow", "--socket", ""}, seen).status == 2);
  CHECK(seen.runs == 0);
}

TEST_CASE("command line: errors obey --output, also those of parsing", "[cli]") {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"topic", "follow", "--nonsense", "--output", "json"},
                                             {"topic", "follow", "--nonsense", "--output=jsonl"}}) {
    const Result result = run(words);
    CHECK(result.status == 2);
    const Json error = Json::parse(result.err)["error"];
    CHECK(error["code"] == "usage");
    CHECK(error["thing"] == "--nonsense");
    CHECK(error["rule"] == "is no option of ringway topic follow");
    CHECK(error["fix"] == "see ringway topic follow --help");
  }
  const Result gone = run({"topic", "follow", "-o", "gone", "--output", "json"});
  CHECK(gone.status == 3);
  CHECK(gone.out.empty());
  CHECK(Json::parse(gone.err)["error"]["rule"] == "is gone");
}

TEST_CASE("command line: a verb's outcome is the exit status", "[cli]") {
  CHECK(run({"topic", "follow", "-o", "bad"}).status == 5);
  CHECK(run({"topic", "follow", "-o", "gone"}).err == "ringway: it: is gone; look\n");
  const Result bug = run({"topic", "follow", "-o", "bug"});
  CHECK(bug.status == 1);
  CHECK(bug.err == "ringway: topic follow: a bug\n");
}

}  // namespace cli_command_line_test
