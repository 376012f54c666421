#include "tools/parse_refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "control/nearest_word.hpp"
#include "tools/help_text.hpp"

namespace ringway::cli {
namespace {

Error usage(std::string thing, std::string rule, std::string fix) {
  return Error(ErrorCode::usage, std::move(thing), std::move(rule), std::move(fix));
}

/// The verb that was reached, or the noun, or ringway itself.
const CLI::App& reached(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::vector<std::string_view> words_below(const CLI::App& app) {
  std::vector<std::string_view> words;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(each->get_name());
  }
  return words;
}

std::string command(const CLI::App& root) {
  const std::string words = spoken(root);
  return words.empty() ? "ringway" : "ringway " + words;
}

std::string see_help(const CLI::App& root) {
  return fmt::format("see {} --help", command(root));
}

/// With what was probably meant, where that is near.
std::string instead(std::string_view unknown, const std::vector<std::string_view>& known,
                    const CLI::App& root, std::string_view dashes = "") {
  const auto nearest = control::nearest_word(unknown, known);
  return nearest ? fmt::format("did you mean {}{}? {}", dashes, *nearest, see_help(root))
                 : see_help(root);
}

/// What other tools call it.
std::optional<std::string_view> name_here(std::string_view elsewhere) {
  using Pair = std::pair<std::string_view, std::string_view>;
  constexpr std::array kNames{
      Pair{"ls", "topic list"},           Pair{"list", "topic list"},
      Pair{"create", "topic create"},     Pair{"describe", "topic describe"},
      Pair{"delete", "topic delete"},     Pair{"pub", "produce"},
      Pair{"publish", "produce"},         Pair{"sub", "consume"},
      Pair{"subscribe", "consume"},       Pair{"version", "--version"},
      Pair{"--group", "--cursor"}};
  const auto found = std::ranges::find(kNames, elsewhere, &Pair::first);
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

Error unknown_option(const std::string& word, const CLI::App& root) {
  const CLI::App& app = reached(root);
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string_view> known;  // without dashes, by which all are alike
  for (const CLI::Option* option : app.get_options()) {
    known.insert(known.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  if (app.get_option_no_throw(name) != nullptr) {
    return usage(name, fmt::format("stands before the verb whose option it is"),
                 fmt::format("write it behind: {} {} ...", command(root), name));
  }
  const auto here = name_here(name);
  if (here && app.get_option_no_throw(std::string(*here)) != nullptr) {
    return usage(name, fmt::format("is no option of {}", command(root)),
                 fmt::format("did you mean {}? {}", *here, see_help(root)));
  }
  const std::string bare = name.substr(std::min(name.size(), name.find_first_not_of('-')));
  return usage(name, fmt::format("is no option of {}", command(root)),
               instead(bare, known, root, "--"));
}

/// Of what was left over, the first word.
Error unknown_word(const std::string& word, const CLI::App& root) {
  if (word.size() > 1 && word.starts_with('-')) return unknown_option(word, root);
  const CLI::App& app = reached(root);
  const auto known = words_below(app);
  const std::string here = fmt::format("ringway {}", name_here(word).value_or(""));
  if (!known.empty() && here.size() > command(root).size() + 1 &&
      here.starts_with(command(root))) {
    return usage(fmt::format("'{}'", word), fmt::format("is no subcommand of {}", command(root)),
                 fmt::format("did you mean {}? {}", here, see_help(root)));
  }
  if (!known.empty()) {
    return usage(fmt::format("'{}'", word), fmt::format("is no subcommand of {}", command(root)),
                 instead(word, known, root));
  }
  return usage(fmt::format("'{}'", word), "is one word too many",
               fmt::format("write: {} [OPTIONS]{}", command(root), arguments_of(app)));
}

Error missing(const std::string& what, const CLI::App& root) {
  const CLI::App& app = reached(root);
  const CLI::Option* const option = app.get_option_no_throw(what);
  if (option != nullptr && option->get_positional()) {
    return usage(spoken(root), fmt::format("{} is missing", what),
                 fmt::format("write: {} [OPTIONS]{}", command(root), arguments_of(app)));
  }
  if (option != nullptr) {
    return usage(spoken(root), fmt::format("{} is missing", what),
                 fmt::format("add {} {}; {}", what, value_of(*option), see_help(root)));
  }
  const std::string words = fmt::format("{}", fmt::join(words_below(app), ", "));
  return usage(spoken(root).empty() ? "command line" : spoken(root), "a subcommand is missing",
               fmt::format("write one of {}; {}", words, see_help(root)));
}

/// An option with too few values, or too often.
std::optional<Error> mismatched(const std::string& said, const CLI::App& root) {
  const std::string name = said.substr(0, said.find(": "));
  const CLI::Option* const option = reached(root).get_option_no_throw(name);
  if (option == nullptr) return std::nullopt;
  if (said.ends_with(" missing")) {
    return usage(name, "its value is missing", fmt::format("write {} {}", name, value_of(*option)));
  }
  if (said.find(": At Most 1 ") != std::string::npos) {
    return usage(name, "is given more than once", "leave all but one of them out");
  }
  return std::nullopt;
}

/// Both options of "--a VERB --b".
std::pair<std::string, std::string> both(const std::string& said, std::string_view verb) {
  const std::size_t at = said.find(verb);
  return {said.substr(0, at), said.substr(at + verb.size())};
}

}  // namespace

std::string spoken(const CLI::App& root) {
  std::string words;
  for (const CLI::App* app = &root; !app->get_subcommands().empty();) {
    app = app->get_subcommands().front();
    words += (words.empty() ? "" : " ") + app->get_name();
  }
  return words;
}

Error refusal_of(const CLI::ParseError& refused, const CLI::App& root) {
  const std::vector<std::string> left = root.remaining(true);
  if (!left.empty()) return unknown_word(left.front(), root);
  const std::string said = refused.what();
  const std::string kind = refused.get_name();
  if (kind == "RequiredError") return missing(said.substr(0, said.find(" is required")), root);
  if (kind == "RequiresError") {
    const auto [option, needed] = both(said, " requires ");
    return usage(option, fmt::format("needs {}", needed),
                 fmt::format("add that, or leave {} out", option));
  }
  if (kind == "ExcludesError") {
    const auto [option, other] = both(said, " excludes ");
    return usage(option, fmt::format("cannot stand beside {}", other), "leave one of them out");
  }
  if (const auto mismatch = mismatched(said, root)) return *mismatch;
  return usage(spoken(root), said, see_help(root));
}

}  // namespace ringway::cli
