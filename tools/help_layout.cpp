#include "tools/help_layout.hpp"

#include <fmt/format.h>

#include <vector>

#include "tools/help_text.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kIndent = 26;

using Options = std::vector<const CLI::Option*>;

std::string entry(const std::string& what, const std::string& purpose) {
  std::string left = "  " + what;
  if (left.size() + 2 > kIndent) left += "\n";
  const std::size_t line = left.ends_with('\n') ? 0 : left.size();
  return left + std::string(kIndent - line, ' ') + wrapped(purpose, kIndent) + "\n";
}

std::string list_of(const std::string& heading, const Options& options) {
  if (options.empty()) return "";
  std::string list = fmt::format("\n{}:\n", heading);
  for (const CLI::Option* option : options) {
    std::string what = option->get_positional() ? option->get_name() : names_of(*option);
    if (!option->get_positional() && !value_of(*option).empty()) what += " " + value_of(*option);
    const bool must = option->get_required() && !option->get_positional();
    list += entry(what, about(*option) + (must ? ". Must be given" : ""));
  }
  return list;
}

}  // namespace

std::string HelpLayout::make_help(const CLI::App* app, std::string name,
                                  CLI::AppFormatMode /*mode*/) const {
  std::string page = wrapped(app->get_description(), 0) + "\n\n" + make_usage(app, name);
  page += list_of("Arguments",
                  app->get_options([](const CLI::Option* each) { return each->get_positional(); }));
  for (const std::string& group : app->get_groups()) {
    page += list_of(group, app->get_options([&](const CLI::Option* each) {
      return each->get_group() == group && !each->get_positional();
    }));
  }
  const auto verbs = app->get_subcommands([](const CLI::App*) { return true; });
  if (!verbs.empty()) page += "\nSubcommands:\n";
  for (const CLI::App* verb : verbs) {
    page += entry(verb->get_name(), in_short(verb->get_description()));
  }
  page += "\n" + app->get_footer();
  page.erase(page.find_last_not_of('\n') + 1);
  return page + "\n";
}

}  // namespace ringway::cli
