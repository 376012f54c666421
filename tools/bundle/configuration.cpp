#include "tools/bundle/configuration.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "tools/ringwayd_start.hpp"

namespace ringway::cli::bundle {
namespace {

/// `setpriv` for who would read what the configuration names; nothing for oneself.
std::vector<std::string> as_user(const std::string& user, const std::string& group) {
  return {"setpriv", "--reuid=" + user, "--regid=" + group, "--clear-groups", "--"};
}

/// With nothing of this shell but where programs are found.
void clear_environment(std::vector<std::string>& words) {
  words.insert(words.end(), {"env", "--ignore-environment"});
  if (const char* path = std::getenv("PATH")) words.push_back(fmt::format("PATH={}", path));
}

/// To where the process stands, which its options may be relative to, if this user may go there. A
/// step of the command itself, whose time is bounded: the disk there may hang.
void go_to_directory_of(pid_t pid, std::vector<std::string>& words) {
  words.insert(words.end(), {"sh", "-c", R"(cd "$0" 2>/dev/null; exec "$@")",
                             fmt::format("/proc/{}/cwd", pid)});
}

}  // namespace

std::vector<std::string> configuration_command(pid_t supervisor, const std::string& ringwayd) {
  struct stat process{};
  const auto start = start_of(supervisor);
  if (!start || stat(fmt::format("/proc/{}", supervisor).c_str(), &process) != 0) {
    return {ringwayd, "--print-config"};
  }
  std::vector<std::string> words;
  if (process.st_uid != geteuid()) {  // what it names is read as it would read it
    words = as_user(std::to_string(process.st_uid), std::to_string(process.st_gid));
  }
  clear_environment(words);
  words.insert(words.end(), start->variables.begin(), start->variables.end());
  go_to_directory_of(supervisor, words);
  words.push_back(ringwayd);
  words.insert(words.end(), start->options.begin(), start->options.end());
  words.emplace_back("--print-config");
  return words;
}

std::vector<std::string> configuration_command(const std::string& shown, const std::string& name,
                                               const std::string& ringwayd) {
  std::string user, group;
  std::vector<std::string> variables;
  std::istringstream lines(shown);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t value = line.find('=') + 1;
    if (line.starts_with("User=")) user = line.substr(value);
    if (line.starts_with("Group=")) group = line.substr(value);
    if (!line.starts_with("Environment=")) continue;
    // Of a value with a space in it systemd quotes the whole assignment: none that is read has one.
    std::istringstream words(line.substr(value));
    for (std::string word; words >> word;) {
      if (ringwayd_reads(word)) variables.push_back(word);
    }
  }
  std::vector<std::string> words;
  if (geteuid() == 0 && !user.empty()) words = as_user(user, group.empty() ? user : group);
  clear_environment(words);
  words.insert(words.end(), {"CONFIGURATION_DIRECTORY=/etc/" + name,
                             "STATE_DIRECTORY=/var/lib/" + name, "RUNTIME_DIRECTORY=/run/" + name});
  std::ranges::move(variables, std::back_inserter(words));
  words.insert(words.end(), {ringwayd, "--print-config"});
  return words;
}

}  // namespace ringway::cli::bundle
