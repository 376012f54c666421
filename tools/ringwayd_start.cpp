#include "tools/ringwayd_start.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ringway::cli {
namespace {

/// Of a file of /proc that ends each with a zero; none where it may not be read.
std::optional<std::vector<std::string>> strings_of(pid_t pid, const char* name) {
  std::ifstream file(fmt::format("/proc/{}/{}", pid, name));
  if (!file) return {};
  std::vector<std::string> all;
  for (std::string each; std::getline(file, each, '\0');) all.push_back(each);
  return all;
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

}  // namespace

bool is_key_of_ringwayd(std::string_view assignment) {
  return assignment.starts_with("RINGWAYD_") && assignment.find('=') != assignment.npos;
}

bool ringwayd_reads(std::string_view assignment) {
  const std::size_t end = assignment.find('=');
  if (end == assignment.npos) return false;  // env would take it for the command
  constexpr std::array<std::string_view, 7> kPlaces{
      "HOME",          "XDG_CONFIG_HOME",   "XDG_RUNTIME_DIR",        "XDG_STATE_HOME",
      "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CONFIGURATION_DIRECTORY"};
  return is_key_of_ringwayd(assignment) ||
         std::ranges::find(kPlaces, assignment.substr(0, end)) != kPlaces.end();
}

std::optional<RingwaydStart> start_of(pid_t pid) {
  const auto environment = strings_of(pid, "environ"), line = strings_of(pid, "cmdline");
  if (!environment || !line) return {};
  RingwaydStart start;
  std::error_code unseen;
  start.directory = std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", pid), unseen);
  std::ranges::copy_if(*environment, std::back_inserter(start.variables), ringwayd_reads);
  start.options = places_named_in(*line);
  return start;
}

}  // namespace ringway::cli
