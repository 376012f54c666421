#include "tools/man/verb_pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <utility>

#include "tools/help_text.hpp"
#include "tools/man/roff.hpp"
#include "tools/record_format_compiler.hpp"

namespace ringway::man {
namespace {

using cli::CommandLine;

std::string joined(const cli::VerbInfo& info, char with) {
  return info.noun.empty() ? info.name : info.noun + with + info.name;
}

std::string page_name(const CommandLine::Verb& verb) {
  return "ringway-" + joined(verb.info, '-');
}

/// As NAME has it.
std::string in_short(const std::string& why) {
  std::string beginning = cli::in_short(why);
  beginning[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(beginning[0])));
  return beginning;
}

void add_options(Page& page, const CLI::App& verb) {
  bool first = true;
  for (const CLI::Option* option : verb.get_options()) {
    if (!option->get_positional()) continue;
    if (std::exchange(first, false)) page.section("ARGUMENTS");
    page.tagged(option->get_name(), "", cli::about(*option) + ".");
  }
  page.section("OPTIONS");
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_positional()) continue;
    page.tagged(cli::names_of(*option), cli::value_of(*option), cli::about(*option) + ".");
  }
}

void add_values(Page& page, const CLI::App* verb) {
  bool first = true;
  for (const auto& [word, meaning] : cli::kQuantities) {
    if (verb != nullptr && !cli::speaks_of(*verb, word)) continue;
    if (std::exchange(first, false)) page.section("VALUES");
    page.tagged(word, "", meaning);
  }
}

/// The grammar of formats, for verbs that take one.
void add_format(Page& page, const CLI::App& verb) {
  const auto takes_one = [](const CLI::Option* each) { return each->get_type_name() == "FORMAT"; };
  const auto options = verb.get_options();
  if (std::ranges::none_of(options, takes_one)) return;
  page.section("FORMAT");
  page.paragraph(
      "What --format prints of each record is this text, in which verbs stand for what the record "
      "has. Of some a modifier in braces says how they are written, as in %k{hex}. \\n \\t \\r "
      "\\0 \\\\ \\xNN are bytes; everything else stands for itself. Numbers are cut to the "
      "width of their modifier.");
  for (const auto& [word, meaning] : cli::FormatCompiler::words()) {
    page.tagged(word, "", meaning + ".");
  }
}

/// Their common indentation is that of --help.
std::string outdented(const std::string& examples) {
  std::string lines;
  for (std::size_t at = 0; at < examples.size();) {
    const std::size_t end = std::min(examples.find('\n', at), examples.size());
    const std::size_t text = std::min(examples.find_first_not_of(' ', at), end);
    lines += examples.substr(text, end - text) + "\n";
    at = end + 1;
  }
  return lines;
}

std::string page_of(const CommandLine& line, const CommandLine::Verb& verb) {
  const std::string name = page_name(verb);
  Page page(name, '1');
  page.section("NAME");
  page.paragraph(fmt::format("{} - {}", name, in_short(verb.info.why)));
  page.section("SYNOPSIS");
  page.synopsis("ringway " + joined(verb.info, ' '), "[OPTIONS]" + cli::arguments_of(*verb.app));
  page.section("DESCRIPTION");
  page.paragraph(verb.info.why + (verb.info.why.ends_with('.') ? "" : "."));
  add_options(page, *verb.app);
  add_values(page, verb.app);
  add_format(page, *verb.app);
  page.section("EXIT STATUS");
  page.paragraph(
      "0 where it was done, if DESCRIPTION does not say what it judges by; the others are those of "
      "every verb, and stand in");
  page.reference("ringway", '1', ".");
  page.section("EXAMPLES");
  page.verbatim(outdented(verb.info.examples));
  page.section("SEE ALSO");
  page.reference("ringway", '1', ",");
  for (const CommandLine::Verb& other : line.verbs()) {
    if (verb.info.noun.empty() || other.info.noun != verb.info.noun || &other == &verb) continue;
    page.reference(page_name(other), '1', ",");
  }
  page.reference("ringwayd", '8', "");
  return page.text();
}

/// Of those that are meant, each with where its own page is.
void add_commands(Page& page, const CommandLine& line,
                  const std::function<bool(const cli::VerbInfo&)>& is_meant) {
  page.section("COMMANDS");
  for (const CommandLine::Verb& verb : line.verbs()) {
    if (!is_meant(verb.info)) continue;
    page.tagged("ringway " + joined(verb.info, ' '), cli::arguments_of(*verb.app),
                in_short(verb.info.why) + ":");
    page.reference(page_name(verb), '1', "");
  }
}

std::string noun_page(const CommandLine& line, const std::string& noun) {
  Page page("ringway-" + noun, '1');
  page.section("NAME");
  page.paragraph(fmt::format("ringway-{} - {}", noun,
                             in_short(line.grammar().get_subcommand(noun)->get_description())));
  page.section("SYNOPSIS");
  page.synopsis("ringway " + noun, "SUBCOMMAND [OPTIONS] [ARGUMENTS]");
  add_commands(page, line, [&](const cli::VerbInfo& verb) { return verb.noun == noun; });
  page.section("SEE ALSO");
  page.reference("ringway", '1', "");
  return page.text();
}

std::string overview(const CommandLine& line) {
  Page page("ringway", '1');
  page.section("NAME");
  page.paragraph("ringway - " + in_short(line.grammar().get_description()));
  page.section("SYNOPSIS");
  page.synopsis("ringway", "VERB [OPTIONS] [ARGUMENTS]");
  page.section("DESCRIPTION");
  page.paragraph(
      "The command line of Ringway, a bus of topics in shared memory with a log on disk. Each verb "
      "has a page of its own.");
  page.paragraph(cli::kConventions);
  add_commands(page, line, [](const cli::VerbInfo&) { return true; });
  page.section("OPTIONS");
  for (const CLI::Option* option : line.grammar().get_options()) {
    page.tagged(cli::names_of(*option), cli::value_of(*option), cli::about(*option) + ".");
  }
  add_values(page, nullptr);
  page.section("EXIT STATUS");
  for (const auto& [exit, meaning] : cli::kExitMeanings) {
    page.tagged(std::to_string(static_cast<int>(exit)), "", meaning);
  }
  page.section("ENVIRONMENT");
  page.tagged("RINGWAY_SOCKET", "", "The control socket of the bus, where --socket is not given.");
  page.tagged("NO_COLOR", "", "No colours, whatever the terminal.");
  page.section("EXAMPLES");
  page.verbatim(outdented(std::string(cli::kFirstExamples)));
  page.section("FILES");
  page.tagged("/run/ringway/control.sock", "",
              "The control socket of the host's bus; of a user's own: "
              "$XDG_RUNTIME_DIR/ringway/control.sock.");
  page.tagged("/var/lib/ringway", "",
              "Its catalog and its log; of a user's own: $XDG_STATE_HOME/ringway, else "
              "~/.local/state/ringway.");
  page.section("SEE ALSO");
  page.reference("ringwayd", '8', ",");
  page.reference("ringwayd.toml", '5', "");
  return page.text();
}

}  // namespace

void add_verb_pages(Pages& pages, const CommandLine& line) {
  pages["ringway.1"] = overview(line);
  for (const CommandLine::Verb& verb : line.verbs()) {
    pages[page_name(verb) + ".1"] = page_of(line, verb);
    if (const std::string& noun = verb.info.noun; !noun.empty()) {
      pages.try_emplace("ringway-" + noun + ".1", noun_page(line, noun));
    }
  }
}

}  // namespace ringway::man
