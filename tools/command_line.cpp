#include "tools/command_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "tools/help_layout.hpp"
#include "tools/help_text.hpp"
#include "tools/parse_refusal.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"
#include "tools/version.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kCommonOptions = "Common options";

/// --output as far as it can be told before parsing, so that a refusal to parse obeys it too.
Format foreseen_format(int argc, const char* const* argv) {
  Format format = Format::table;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--") break;
    if (word == "--output" && i + 1 < argc) {
      word = argv[++i];
    } else if (word.starts_with("--output=")) {
      word.remove_prefix(std::string_view("--output=").size());
    } else {
      continue;
    }
    if (word == "json") format = Format::json;
    if (word == "jsonl") format = Format::jsonl;
  }
  return format;
}

/// As `ringway help VERB` is typed, `ringway VERB --help` is meant.
std::vector<const char*> without_help_verb(int argc, const char* const* argv) {
  std::vector<const char*> words(argv, argv + argc);
  if (argc > 1 && std::string_view(words[1]) == "help") {
    words.erase(words.begin() + 1);
    words.push_back("--help");
  }
  return words;
}

/// Whether an unknown word stands where a verb would: it is refused, rather than help shown.
bool names_no_verb(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  const std::vector<std::string> left = root.remaining(true);
  return !app->get_subcommands({}).empty() && !left.empty() && !left.front().starts_with('-');
}

/// An empty value would count as none, and the option would do nothing.
void refuse_empty_values(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() || std::ranges::count(option->results(), "") == 0) continue;
    throw Error(ErrorCode::usage, option->get_name() + " ''", "its value is empty",
                "write one, or leave the option out");
  }
  for (const CLI::App* word : app.get_subcommands()) refuse_empty_values(*word);
}

}  // namespace

CommandLine::CommandLine()
    : app_("Publish, follow and inspect the records of a Ringway bus on this machine", "ringway") {
  app_.formatter(std::make_shared<HelpLayout>());
  app_.require_subcommand(1);
  app_.footer(general_footer());
  app_.set_help_flag("-h,--help", "Say what can be done here");
  app_.set_version_flag("--version", std::string(),
                        "Print the versions of library, layout, log and protocol");
}

void CommandLine::noun(const std::string& name, const std::string& about, Asks asks) {
  CLI::App* const app = app_.add_subcommand(name, about)->require_subcommand(1);
  app->footer(noun_footer(name));
  nouns_[name] = {app, asks};
}

CLI::App& CommandLine::verb(const VerbInfo& info, Run run) {
  const Noun noun = info.noun.empty() ? Noun{&app_, Asks::supervisor} : nouns_.at(info.noun);
  CLI::App& verb = *noun.app->add_subcommand(info.name, info.why);
  verb.footer("");  // not its parent's
  verb.footer([&verb, examples = info.examples] { return verb_footer(verb, examples); });
  add_common(verb, noun.asks, info);
  verb.callback([this, run = std::move(run)] { chosen_ = run; });
  verbs_.push_back({info, &verb});
  return verb;
}

void CommandLine::add_common(CLI::App& verb, Asks asks, const VerbInfo& info) {
  const auto set_format = [this](const std::string& text) {
    common_.format = parse_format("--output", text);
  };
  const auto set_timeout = [this](const std::string& text) {
    common_.timeout = parse_duration("--timeout", text);
    if (common_.timeout.count() == 0) {
      throw Error(ErrorCode::usage, fmt::format("--timeout {}", text),
                  "in no time nobody can answer", "write some, as 10s, or leave it out");
    }
    common_.names_timeout = true;
  };
  if (!info.draws) {
    verb.add_option_function<std::string>(
            "--output", set_format, "For people, or for programs (default table)")
        ->type_name("table|json|jsonl")
        ->group(kCommonOptions);
  }
  if (asks == Asks::nobody) return;
  verb.add_option_function<std::string>(
          "--timeout", set_timeout,
          fmt::format("How long to wait for the supervisor (default {})", info.patience))
      ->type_name("DUR")
      ->group(kCommonOptions);
  verb.add_option("--socket", common_.socket,
                  "Control socket (default $RINGWAY_SOCKET, $XDG_RUNTIME_DIR/ringway/control.sock "
                  "or /run/ringway/control.sock)")
      ->type_name("PATH")
      ->group(kCommonOptions);
}

int CommandLine::run(int argc, const char* const* argv) {
  common_.format = foreseen_format(argc, argv);
  try {
    try {
      return static_cast<int>(parse_and_run(argc, argv));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& unexpected) {
      throw Error(ErrorCode::failed, spoken(app_), unexpected.what(), "");
    }
  } catch (const Error& error) {
    try {
      // Who closed standard error does not want to know.
      static_cast<void>(write_all(STDERR_FILENO, error_line(error, common_.format)));
    } catch (const Error&) {
    }
    return static_cast<int>(exit_of(error.code()));
  }
}

Exit CommandLine::parse_and_run(int argc, const char* const* argv) {
  const std::vector<const char*> words = without_help_verb(argc, argv);
  try {
    app_.parse(static_cast<int>(words.size()), words.data());
    refuse_empty_values(app_);
  } catch (const CLI::CallForHelp&) {
    if (names_no_verb(app_)) throw refusal_of(CLI::ExtrasError(app_.remaining(true)), app_);
    static_cast<void>(write_all(STDOUT_FILENO, app_.help()));
    return Exit::ok;
  } catch (const CLI::CallForVersion&) {
    static_cast<void>(write_all(STDOUT_FILENO, version_text(common_.format)));
    return Exit::ok;
  } catch (const CLI::ParseError& refusal) {
    throw refusal_of(refusal, app_);
  }
  return chosen_(common_);
}

}  // namespace ringway::cli
