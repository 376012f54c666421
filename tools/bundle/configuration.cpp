#include "tools/bundle/configuration.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
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

/// Whether ringwayd reads it: keys, and by what the default places are found.
bool is_read(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  return name.starts_with("RINGWAYD_") || name.starts_with("XDG_") || name == "HOME" ||
         name.ends_with("_DIRECTORY");
}

}  // namespace

std::vector<std::string> configuration_command(pid_t supervisor, const std::string& ringwayd) {
  std::vector<std::string> words;
  const std::vector<std::string> environment = strings_of(supervisor, "environ");
  if (!environment.empty()) {
    words = {"env", "--ignore-environment"};
    if (const char* path = std::getenv("PATH")) words.push_back(fmt::format("PATH={}", path));
    for (const std::string& variable : environment) {
      if (is_read(variable)) words.push_back(variable);
    }
  }
  words.push_back(ringwayd);
  if (!environment.empty()) {
    const std::vector<std::string> line = strings_of(supervisor, "cmdline");
    if (!line.empty()) words.insert(words.end(), line.begin() + 1, line.end());
  }
  words.emplace_back("--print-config");
  return words;
}

}  // namespace ringway::cli::bundle
