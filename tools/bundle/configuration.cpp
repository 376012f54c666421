#include "tools/bundle/configuration.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace ringway::cli::bundle {
namespace {

/// Of a file of /proc that ends each with a zero.
std::vector<std::string> strings_of(pid_t pid, const char* name) {
  std::ifstream file(fmt::format("/proc/{}/{}", pid, name));
  std::vector<std::string> all;
  for (std::string each; std::getline(file, each, '\0');) all.push_back(each);
  return all;
}

/// Whether it is a variable that ringwayd reads: keys, and by what the default places are found.
bool is_read(std::string_view text) {
  const std::size_t end = text.find('=');
  if (end == text.npos) return false;  // env would take it for the command
  const std::string_view name = text.substr(0, end);
  constexpr std::array<std::string_view, 7> kPlaces{
      "HOME",          "XDG_CONFIG_HOME",   "XDG_RUNTIME_DIR",        "XDG_STATE_HOME",
      "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CONFIGURATION_DIRECTORY"};
  return name.starts_with("RINGWAYD_") || std::ranges::find(kPlaces, name) != kPlaces.end();
}

/// Of its options those that say where things are: all that have a value.
std::vector<std::string> places_named_in(const std::vector<std::string>& line) {
  constexpr std::array<std::string_view, 6> kNames{"--config",    "--socket",
                                                   "--runtime-dir", "--state-dir",
                                                   "--metrics-socket", "--metrics-listen"};
  std::vector<std::string> words;
  for (std::size_t i = 1; i < line.size(); ++i) {
    const std::size_t equals = line[i].find('=');
    if (std::ranges::find(kNames, line[i].substr(0, equals)) == kNames.end()) continue;
    if (equals != std::string::npos) {
      words.push_back(line[i]);
    } else if (i + 1 < line.size()) {
      words.push_back(fmt::format("{}={}", line[i], line[i + 1]));
      ++i;
    }
  }
  return words;
}

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
  const std::vector<std::string> environment = strings_of(supervisor, "environ");
  if (environment.empty() || stat(fmt::format("/proc/{}", supervisor).c_str(), &process) != 0) {
    return {ringwayd, "--print-config"};
  }
  std::vector<std::string> words;
  if (process.st_uid != geteuid()) {  // what it names is read as it would read it
    words = as_user(std::to_string(process.st_uid), std::to_string(process.st_gid));
  }
  clear_environment(words);
  std::ranges::copy_if(environment, std::back_inserter(words), is_read);
  go_to_directory_of(supervisor, words);
  words.push_back(ringwayd);
  std::ranges::move(places_named_in(strings_of(supervisor, "cmdline")), std::back_inserter(words));
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
      if (is_read(word)) variables.push_back(word);
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
