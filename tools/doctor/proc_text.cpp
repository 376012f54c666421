#include "tools/doctor/proc_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace ringway::cli::doctor {
namespace {

constexpr std::string_view kSpace = " \t";

std::string_view without_spaces(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

std::uint64_t limit_value(std::string_view& text) {
  text = without_spaces(text);
  const std::size_t end = std::min(text.find_first_of(kSpace), text.size());
  const auto value = number_in(text.substr(0, end));
  text.remove_prefix(end);
  return value.value_or(kUnlimited);
}

/// The directory of a group and of each above it, that of the root last: a container's has limits.
std::vector<std::string> with_those_above(const std::string& root, std::string path) {
  if (!path.starts_with('/')) return {};
  std::vector<std::string> directories;
  for (; !path.empty(); path.resize(path.rfind('/'))) {
    if (path != "/") directories.push_back(root + path);
  }
  directories.push_back(root);
  return directories;
}

}  // namespace

std::optional<std::uint64_t> number_in(std::string_view text) {
  text = without_spaces(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return {};
  return number;
}

std::optional<std::string> line_behind(const std::string& text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    if (line.starts_with(name)) return std::string(without_spaces(line.substr(name.size())));
    at = end + 1;
  }
  return {};
}

bool has_word(std::string_view text, std::string_view word, char between) {
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(between, at), text.size());
    if (text.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

std::optional<Limit> limit_in(const std::string& limits, std::string_view name) {
  const auto line = line_behind(limits, name);
  if (!line) return {};
  std::string_view rest = *line;
  Limit limit;
  limit.soft = limit_value(rest);
  limit.hard = limit_value(rest);
  return limit;
}

std::string chosen_in(const std::string& text) {
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return text.substr(open + 1, close - open - 1);
}

std::vector<std::uint64_t> numbers_in(std::string_view ranges) {
  constexpr std::uint64_t kMost = 65536;
  std::vector<std::uint64_t> numbers;
  while (!ranges.empty()) {
    const std::size_t comma = std::min(ranges.find(','), ranges.size());
    const std::string_view range = ranges.substr(0, comma);
    const std::size_t dash = range.find('-');
    const auto first = number_in(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number_in(range.substr(dash + 1));
    const std::uint64_t count = first && last && *last >= *first ? *last - *first + 1 : 0;
    for (std::uint64_t i = 0; i < std::min(count, kMost); ++i) numbers.push_back(*first + i);
    ranges.remove_prefix(std::min(comma + 1, ranges.size()));
  }
  return numbers;
}

std::size_t counted_in(std::string_view ranges) {
  return numbers_in(ranges).size();
}

std::vector<std::string> cgroups_in(const std::string& cgroup) {
  const auto own = line_behind(cgroup, "0::");
  return own ? with_those_above("/sys/fs/cgroup", *own) : std::vector<std::string>{};
}

std::vector<std::string> cgroups_of_version_1(const std::string& cgroup,
                                              std::string_view controller) {
  std::istringstream lines(cgroup);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == line.npos ? first : first + 1);
    if (second == line.npos) continue;
    const auto controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (!has_word(controllers, controller, ',')) continue;
    return with_those_above(fmt::format("/sys/fs/cgroup/{}", controller), line.substr(second + 1));
  }
  return {};
}

}  // namespace ringway::cli::doctor
