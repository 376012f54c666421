#include "tools/help_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace ringway::cli {
namespace {

constexpr std::size_t kHelpColumns = 80;

/// In an order that is the same in each run.
std::string list_of(const std::set<CLI::Option*>& options) {
  std::set<std::string> names;
  for (const CLI::Option* option : options) names.insert(option->get_name());
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

bool speaks_of(const CLI::App& verb, std::string_view word) {
  const auto is_there = [&](const std::string& text) {
    const std::size_t at = text.find(word);
    return at != std::string::npos && (at == 0 || (std::isupper(text[at - 1]) == 0));
  };
  return std::ranges::any_of(verb.get_options(), [&](const CLI::Option* option) {
    return is_there(option->get_type_name()) || is_there(option->get_description());
  });
}

std::string wrapped(std::string_view text, std::size_t indent) {
  std::string lines;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > indent && column + 1 + word.size() > kHelpColumns) {
      lines += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) lines += ' ';
    lines += word;
    column += word.size() + (column > indent ? 1 : 0);
  }
  return lines;
}

std::string in_short(const std::string& why) {
  std::string beginning = why;
  for (const char* end : {". ", "; ", ": "}) beginning = beginning.substr(0, beginning.find(end));
  if (beginning.ends_with('.')) beginning.pop_back();
  return beginning;
}

std::string names_of(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) {
    names += (names.empty() ? "--" : ", --") + name;
  }
  return names;
}

std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  const bool several = option.get_expected_max() == CLI::detail::expected_max_vector_size;
  return option.get_type_name() + (several ? " ..." : "");
}

std::string about(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) {
    text += fmt::format(" (default {})", option.get_default_str());
  }
  if (!option.get_needs().empty()) text += ". Needs " + list_of(option.get_needs());
  if (!option.get_excludes().empty()) text += ". Not with " + list_of(option.get_excludes());
  return text;
}

std::string arguments_of(const CLI::App& verb) {
  std::string arguments;
  for (const CLI::Option* option : verb.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name() + (option->get_expected_max() > 1 ? "..." : "");
    arguments += option->get_required() ? " " + name : " [" + name + "]";
  }
  return arguments;
}

std::string general_footer() {
  std::string footer = fmt::format("Examples:\n{}\n\n", kFirstExamples);
  footer += wrapped("ringway SUBCOMMAND --help, or ringway help SUBCOMMAND, has its options and "
                    "examples; man ringway all of it.", 0) + "\n\n";
  for (const auto& [word, meaning] : kQuantities) {
    footer += wrapped(fmt::format("{} {}", word, meaning), 0) + "\n";
  }
  std::string exits = "Exit status:";
  std::string_view before = " ";
  for (const auto& [exit, meaning] : kExitMeanings) {
    exits += fmt::format("{}{} {}", before, static_cast<int>(exit), meaning);
    before = ", ";
  }
  return fmt::format("{}\n{}\n\n{}", footer, wrapped(kConventions, 0), wrapped(exits + ".", 0));
}

std::string noun_footer(const std::string& noun) {
  return fmt::format("ringway {} SUBCOMMAND --help has its options and examples.", noun);
}

std::string verb_footer(const CLI::App& verb, const std::string& examples) {
  std::string footer;
  for (const auto& [word, meaning] : kQuantities) {
    if (speaks_of(verb, word)) footer += wrapped(fmt::format("{} {}", word, meaning), 0) + "\n";
  }
  return footer + (footer.empty() ? "" : "\n") + "Examples:\n" + examples;
}

}  // namespace ringway::cli
