#include "tools/doctor/facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "control/disk_room.hpp"
#include "control/shell_word.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

/// The command before a ringwayd that gives it what another one had of its environment; "" where
/// that was nothing. What names the usual places is in that of a shell of the same user, too.
std::string environment_of(const RingwaydStart& start, bool of_another_user) {
  std::string words;
  const auto is_relative = [](const std::string& option) {
    return option[option.find('=') + 1] != '/';
  };
  if (!start.directory.empty() && std::ranges::any_of(start.options, is_relative)) {
    words += " --chdir=" + control::shell_quoted(start.directory);
  }
  for (const std::string& variable : start.variables) {
    if (!of_another_user && !is_key_of_ringwayd(variable)) continue;
    words += ' ' + control::shell_quoted(variable);
  }
  return words.empty() ? "" : "env" + words + ' ';
}

}  // namespace

std::string TopicRoom::with_rings_of(std::uint64_t bytes) const {
  std::string size = format_size(bytes);
  std::erase(size, ' ');
  return control::typed("ringway topic alter", {name}, "--ring " + size);
}

std::uint64_t Facts::kept_free() const {
  return keep_free.value_or(control::usual_keep_free(disk->total));
}

bool Facts::is_short_of_room() const {
  return disk && disk->free < std::max(control::kDiskFreeMin, kept_free());
}

std::string Facts::make_room() const {
  const auto most = std::ranges::max_element(topics, {}, &TopicRoom::trimmable_bytes);
  if (most == topics.end() || most->trimmable_bytes == 0) {
    return control::typed("du -xhd 3", {state_dir}) +
           " | sort -h | tail  # no log can be trimmed from here (newest segments and what cursors "
           "protect stay): room from something else, or a larger disk";
  }
  return fmt::format("{}  # deletes {} of records, all but the newest; or a larger disk",
                     control::typed("ringway topic trim", {most->name}, "--before end"),
                     format_size(most->trimmable_bytes));
}

std::optional<std::string> Facts::word(const std::string& path) const {
  std::optional<std::string> text = read(path);
  if (!text) return {};
  constexpr const char* kSpace = " \t\n";
  const std::size_t first = text->find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return text->substr(first, text->find_last_not_of(kSpace) + 1 - first);
}

std::string Facts::restart() const {
  if (unit.of_user && !owner.empty()) {
    return fmt::format("systemctl --user --machine={}@ restart {}", control::shell_quoted(owner),
                       control::shell_quoted(unit.name));
  }
  if (!unit.name.empty()) return systemctl("restart", unit);
  // Where links of its user lead is nothing for root.
  using control::shell_quoted;
  std::string words = owner.empty() ? "" : fmt::format("runuser -u {} -- ", shell_quoted(owner));
  if (start) words += environment_of(*start, !owner.empty());
  words += "ringwayd";
  if (start) {
    for (const std::string& option : start->options) words += ' ' + shell_quoted(option);
  }
  const auto add_place = [&](const std::string& option, const std::string& path) {
    const auto names = [&](const auto& given) { return given.starts_with(option + '='); };
    if (path.empty() || (start && std::ranges::any_of(start->options, names))) return;
    words += fmt::format(" {} {}", option, shell_quoted(path));
  };
  add_place("--socket", socket);
  add_place("--runtime-dir", runtime_dir);
  if (!usual_state_dir) add_place("--state-dir", state_dir);
  // The signal that leaves the rings to the next one.
  if (supervisor == 0) return words;
  if (!in_ringwayd) return fmt::format("restart the program whose pid is {}", supervisor);
  return fmt::format("kill -USR1 {} && {}", supervisor, words);
}

std::string Facts::with_setting(std::string_view setting) const {
  if (unit.name.empty()) {
    return fmt::format("start ringwayd where that is allowed (its container, its slice): {}",
                       setting);
  }
  return fmt::format("{} && {}  # [Service] {}", systemctl("edit", unit), restart(), setting);
}

}  // namespace ringway::cli::doctor
