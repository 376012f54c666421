#include "tools/help_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace ringway::cli {

bool speaks_of(const CLI::App& verb, std::string_view word) {
  const auto is_there = [&](const std::string& text) {
    const std::size_t at = text.find(word);
    return at != std::string::npos && (at == 0 || (std::isupper(text[at - 1]) == 0));
  };
  return std::ranges::any_of(verb.get_options(), [&](const CLI::Option* option) {
    return is_there(option->get_type_name()) || is_there(option->get_description());
  });
}

std::string general_footer() {
  std::string footer = "\n";
  for (const auto& [word, meaning] : kQuantities) footer += fmt::format("{} {}\n", word, meaning);
  footer += fmt::format("\n{}\nExit status:", kConventions);
  std::string_view before = " ";
  for (const auto& [exit, meaning] : kExitMeanings) {
    footer += fmt::format("{}{} {}", before, static_cast<int>(exit), meaning);
    before = ", ";
  }
  return footer + ".";
}

std::string verb_footer(const CLI::App& verb, const std::string& examples) {
  std::string footer = "\n";
  for (const auto& [word, meaning] : kQuantities) {
    if (speaks_of(verb, word)) footer += fmt::format("{} {}\n", word, meaning);
  }
  return footer + "\nExamples:\n" + examples;
}

}  // namespace ringway::cli
