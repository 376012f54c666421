#pragma once

// How a verb plugs in
//
// 1. One file, tools/verbs/<noun>_<verb>.cpp, with one function that adds the verb:
//
//      void add_topic_delete(CommandLine& line) {
//        struct Options { std::string name; bool yes = false; };
//        auto options = std::make_shared<Options>();
//        CLI::App& verb = line.verb(
//            {.noun = "topic", .name = "delete",
//             .why = "Delete a topic with all its records, when nobody needs them any more",
//             .examples = "ringway topic delete orders --yes"},
//            [options](const Common& common) { ...; return Exit::ok; });
//        verb.add_option("NAME", options->name, "Topic to delete")->required();
//        verb.add_flag("--yes", options->yes, "Do not ask");
//      }
//
//    Options live in a shared_ptr because the function has returned when they are parsed.
//    Quantities are options of type std::string, handed to parse_size() and its like in the run
//    function, with the flag's name, so that a refusal names the flag.
// 2. Declared in tools/verbs/verbs.hpp, called from every_verb.cpp, listed in tools/meson.build;
//    its man page, which is made of the same, in tools/man/meson.build.
//
// An option's type name says what completion offers for it: "a|b|c" these words, TOPIC, CURSOR and
// PARTITION what the bus has, FILE, PATH and DIR files, U,@G accounts, RANGE start and end.
//
// A run function returns its Exit or throws: ringway::Error ends as exit_of(its code) with
// error_line() on standard error. It writes data to standard output with write_all().

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/failure.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// What every verb takes, but for those that ask no supervisor, which have --output alone, and
/// those that draw, which do not have it.
struct Common {
  Format format = Format::table;
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  ///< for the control plane
  bool names_timeout = false;  ///< the user did: then nothing takes less
  std::string socket;  ///< as given; empty lets the library find it
};

/// Whom the verbs of a noun ask. Of nobody: they take neither --timeout nor --socket.
enum class Asks { supervisor, nobody };

struct VerbInfo {
  std::string noun = {};  ///< empty for a verb that stands alone, as `produce`
  std::string name;
  std::string why = {};       ///< why one would use it; the first line of its help
  std::string examples = {};  ///< a command a line
  std::string patience = "10s";  ///< how long it waits without --timeout, as its help says
  bool draws = false;            ///< on a terminal, for people: without --output
};

using Run = std::function<Exit(const Common&)>;

/// The whole grammar of `ringway`. Owned by main, used by one thread; run once.
class CommandLine {
 public:
  CommandLine();

  /// Says what `noun`, the verbs' first word, is about. Before its first verb.
  void noun(const std::string& name, const std::string& about, Asks asks = Asks::supervisor);
  /// The new verb, to add its own options to; it has --output, --timeout and --socket already
  /// (see Asks).
  /// The reference lives as long as this object.
  CLI::App& verb(const VerbInfo& info, Run run);

  /// For what is made of all verbs: man pages, completion.
  struct Verb {
    VerbInfo info;
    const CLI::App* app;
  };
  const std::vector<Verb>& verbs() const noexcept { return verbs_; }
  const CLI::App& grammar() const noexcept { return app_; }

  /// Parses and runs; every failure ends as a line on standard error. The process's exit status.
  int run(int argc, const char* const* argv);

 private:
  struct Noun {
    CLI::App* app;
    Asks asks;
  };

  void add_common(CLI::App& verb, Asks asks, const VerbInfo& info);
  Exit parse_and_run(int argc, const char* const* argv);

  CLI::App app_;
  std::map<std::string, Noun> nouns_;
  std::vector<Verb> verbs_;
  Common common_;
  Run chosen_;
};

}  // namespace ringway::cli
