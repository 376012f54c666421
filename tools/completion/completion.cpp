#include "tools/completion/completion.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace ringway::cli {
namespace {

/// A command line as far as it is typed, but for the word that is being completed.
struct Typed {
  const CLI::App* app = nullptr;
  std::vector<std::string> positionals{};
  std::map<const CLI::Option*, std::string> options{};
  const CLI::Option* awaiting = nullptr;  ///< its value comes next
  bool only_positionals = false;          ///< behind --
};

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

const CLI::Option* find_option(const CLI::App& app, std::string_view name) {
  const auto is = [&](const std::vector<std::string>& names, std::string_view dashes) {
    return name.starts_with(dashes) &&
           std::ranges::find(names, name.substr(dashes.size())) != names.end();
  };
  for (const CLI::Option* option : app.get_options()) {
    if (is(option->get_lnames(), "--") || is(option->get_snames(), "-")) return option;
  }
  return nullptr;
}

void take_option(Typed& typed, const std::string& word) {
  const std::size_t equals = word.find('=');
  const CLI::Option* option = find_option(*typed.app, word.substr(0, equals));
  if (option == nullptr) return;
  if (equals != std::string::npos) {
    typed.options[option] = word.substr(equals + 1);
  } else {
    typed.options[option];
    if (takes_value(*option)) typed.awaiting = option;
  }
}

const CLI::App* find_verb(const CLI::App& app, const std::string& name) {
  const auto verbs = app.get_subcommands({});
  const auto found = std::ranges::find(verbs, name, [](const CLI::App* verb) {
    return verb->get_name();
  });
  return found == verbs.end() ? nullptr : *found;
}

Typed typed_so_far(const CLI::App& grammar, std::span<const std::string> words) {
  Typed typed{.app = &grammar};
  for (const std::string& word : words) {
    if (typed.awaiting != nullptr) {
      typed.options[typed.awaiting] = word;
      typed.awaiting = nullptr;
    } else if (!typed.only_positionals && word == "--") {
      typed.only_positionals = true;
    } else if (!typed.only_positionals && word.size() > 1 && word.starts_with('-')) {
      take_option(typed, word);
    } else if (const auto* sub = find_verb(*typed.app, word)) {
      typed.app = sub;
    } else {
      typed.positionals.push_back(word);
    }
  }
  return typed;
}

/// Fills a Completion with what begins as the word that is being typed.
class Filling {
 public:
  Filling(const Typed& typed, const LiveNames& live, const std::string& word)
      : typed_(typed), live_(live), word_(word) {}

  Completion done() { return std::move(completion_); }

  void offer(const std::string& value, const std::string& about = "") {
    if (value.starts_with(word_)) completion_.candidates.push_back({value, about});
  }

  /// `before`: what of the word stands in front of the value.
  void offer_values(const CLI::Option& option, const std::string& before = "") {
    const std::string type = option.get_positional() ? option.get_name() : option.get_type_name();
    if (type.find('|') != std::string::npos) {
      for (std::size_t at = 0; at <= type.size();) {
        const std::size_t end = std::min(type.find('|', at), type.size());
        offer(before + type.substr(at, end - at));
        at = end + 1;
      }
    } else if (type == "TOPIC") {
      offer_names(option, before, live_.topics(socket()));
    } else if (type == "CURSOR") {
      if (const std::string topic = topic_typed(); !topic.empty()) {
        offer_names(option, before, live_.cursors(socket(), topic));
      }
    } else if (type == "PARTITION") {
      const std::string listed = before + listed_already(before);
      const std::string topic = topic_typed();
      const std::uint32_t count = topic.empty() ? 0 : live_.partitions(socket(), topic);
      for (std::uint32_t p = 0; p < std::min(count, kPartitionsMax); ++p) {
        offer(listed + std::to_string(p));
      }
    } else if (type == "U,@G") {
      offer_all(before + listed_already(before), live_.accounts());
    } else if (type == "RANGE") {
      offer(before + "start", "everything there is");
      offer(before + "end", "what comes from now on");
    } else if (type == "FILE" || type == "PATH") {
      completion_.paths = Completion::Paths::files;
    } else if (type == "DIR") {
      completion_.paths = Completion::Paths::directories;
    }
  }

  void offer_options() {
    for (const CLI::Option* option : typed_.app->get_options()) {
      if (option->get_positional() || option->get_group().empty()) continue;
      const bool again = option->get_expected_max() > 1;
      if (typed_.options.contains(option) && !again) continue;
      for (const std::string& name : option->get_lnames()) {
        offer("--" + name, option->get_description());
      }
      if (!word_.starts_with("--") && option->get_lnames().empty()) {
        for (const std::string& name : option->get_snames()) {
          offer("-" + name, option->get_description());
        }
      }
    }
  }

  bool empty() const {
    return completion_.candidates.empty() && completion_.paths == Completion::Paths::none;
  }

 private:
  static constexpr std::uint32_t kPartitionsMax = 1000;  // nobody reads more

  void offer_all(const std::string& before, const LiveNames::Names& names) {
    for (const std::string& name : names) offer(before + name);
  }
  /// Not those that would be taken for options where they stand.
  void offer_names(const CLI::Option& option, const std::string& before,
                   LiveNames::Names names) {
    if (option.get_positional() && !typed_.only_positionals) {
      std::erase_if(names, [](const std::string& name) { return name.starts_with('-'); });
    }
    offer_all(before, names);
  }
  /// "a,b," of the word's value where values stand in a list.
  std::string listed_already(const std::string& before) const {
    const std::size_t comma = word_.rfind(',');
    if (comma == std::string::npos || comma < before.size()) return "";
    return word_.substr(before.size(), comma + 1 - before.size());
  }
  std::string socket() const {
    const CLI::Option* option = find_option(*typed_.app, "--socket");
    const auto given = typed_.options.find(option);
    return given == typed_.options.end() ? "" : given->second;
  }
  /// Of a verb whose first argument is one.
  std::string topic_typed() const {
    return typed_.positionals.empty() ? "" : typed_.positionals.front();
  }

  const Typed& typed_;
  const LiveNames& live_;
  const std::string& word_;
  Completion completion_;
};

const CLI::Option* positional(const CLI::App& app, std::size_t index) {
  const CLI::Option* last = nullptr;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    last = option;
    if (index-- == 0) return option;
  }
  return last != nullptr && last->get_expected_max() > 1 ? last : nullptr;
}

}  // namespace

Completion complete(const CommandLine& line, std::span<const std::string> words,
                    const LiveNames& live) {
  const std::string word = words.empty() ? "" : words.back();
  const Typed typed =
      typed_so_far(line.grammar(), words.first(words.empty() ? 0 : words.size() - 1));
  Filling filling(typed, live, word);
  if (typed.awaiting != nullptr) {
    filling.offer_values(*typed.awaiting);
    return filling.done();
  }
  if (const std::size_t equals = word.find('=');
      !typed.only_positionals && word.starts_with("--") && equals != std::string::npos) {
    const CLI::Option* option = find_option(*typed.app, word.substr(0, equals));
    if (option != nullptr) filling.offer_values(*option, word.substr(0, equals + 1));
    return filling.done();
  }
  if (!typed.only_positionals && word.starts_with('-')) {
    filling.offer_options();
    return filling.done();
  }
  for (const CLI::App* sub : typed.app->get_subcommands({})) {
    if (!sub->get_group().empty()) filling.offer(sub->get_name(), sub->get_description());
  }
  if (const CLI::Option* next = positional(*typed.app, typed.positionals.size())) {
    filling.offer_values(*next);
  } else if (word.empty() && filling.empty()) {
    filling.offer_options();
  }
  return filling.done();
}

}  // namespace ringway::cli
