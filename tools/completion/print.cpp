#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "client/administration.hpp"
#include "tools/completion/completion.hpp"
#include "tools/terminal.hpp"

namespace ringway::cli {
namespace {

constexpr std::chrono::milliseconds kTypingPatience{500};  // somebody waits with a finger on a key

/// The bus, without a word on standard error.
Bus quiet_bus(const std::string& socket) {
  return Bus::connect({.socket = socket, .timeout = kTypingPatience});
}

template <class Value, class Ask>
Value or_nothing(Ask ask) {
  try {
    return ask();
  } catch (const std::exception&) {
    return {};  // nobody serves, or not this user
  }
}

LiveNames::Names account_names() {
  std::set<std::string> names;
  ::setpwent();
  while (const passwd* user = ::getpwent()) names.insert(user->pw_name);
  ::endpwent();
  ::setgrent();
  while (const group* one = ::getgrent()) names.insert(std::string("@") + one->gr_name);
  ::endgrent();
  return {names.begin(), names.end()};
}

LiveNames of_the_bus() {
  using Names = LiveNames::Names;
  return {.topics =
              [](const std::string& socket) {
                return or_nothing<Names>([&] {
                  Names names;
                  for (const TopicSummary& topic : quiet_bus(socket).topics()) {
                    names.push_back(topic.name);
                  }
                  return names;
                });
              },
          .cursors =
              [](const std::string& socket, const std::string& topic) {
                return or_nothing<Names>([&] {
                  Names names;
                  Administration administration(quiet_bus(socket));
                  for (const auto& cursor : administration.cursors(topic)) {
                    names.push_back(cursor.name);
                  }
                  return names;
                });
              },
          .partitions =
              [](const std::string& socket, const std::string& topic) {
                return or_nothing<std::uint32_t>(
                    [&] { return quiet_bus(socket).settings(topic).partitions; });
              },
          .accounts = account_names};
}

/// A word as it is typed in a shell, perhaps not to its end, without its quotes.
std::string unquoted(std::string_view word) {
  std::string plain;
  char quote = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (c == '\\' && quote != '\'' && i + 1 < word.size()) {
      plain += word[++i];
    } else if (quote != 0 ? c == quote : c == '\'' || c == '"') {
      quote = quote != 0 ? '\0' : c;
    } else {
      plain += c;
    }
  }
  return plain;
}

std::string_view name_of(Completion::Paths paths) {
  switch (paths) {
    case Completion::Paths::none:
      return "words";
    case Completion::Paths::files:
      return "files";
    case Completion::Paths::directories:
      return "directories";
  }
  return "words";
}

}  // namespace

int print_completion(const CommandLine& line, int argc, const char* const* argv) {
  const bool quoted = argc > 0 && std::string_view(argv[0]) == "bash";
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) words.push_back(quoted ? unquoted(argv[i]) : argv[i]);
  const Completion completion = complete(line, words, of_the_bus());
  std::string out(name_of(completion.paths));
  out += '\n';
  for (const auto& [value, about] : completion.candidates) {
    out += value;
    if (!about.empty()) out += "\t" + about.substr(0, about.find(". "));
    out += '\n';
  }
  return or_nothing<bool>([&] { return write_all(STDOUT_FILENO, out) == Written::all; }) ? 0 : 1;
}

}  // namespace ringway::cli
