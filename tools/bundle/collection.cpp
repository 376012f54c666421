#include "tools/bundle/collection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "control/shell_word.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli::bundle {
namespace {

constexpr std::size_t kBytesMax = 4 << 20;
constexpr std::string_view kDirectory = "ringway-debug/";

std::string spoken(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line += (line.empty() ? "" : " ") + control::shell_quoted(word);
  }
  return line;
}

}  // namespace

std::chrono::milliseconds Collection::time_for_a_part() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now());
  return std::min(patience_, left);
}

bool Collection::has_time_for(std::string_view what) {
  if (time_for_a_part().count() > 0) return true;
  leave_out(what, "no time was left for it: --within");
  return false;
}

void Collection::add(const std::string& name, Json line, Captured captured,
                     std::chrono::milliseconds time) {
  line["bytes"] = captured.out.size();
  if (captured.late) {
    line["note"] = fmt::format("not answered within {}", format_duration(time));
  } else if (captured.cut) {
    line["note"] = fmt::format("cut after {} bytes", kBytesMax);
  }
  entries_.push_back({name, std::move(captured.out), std::move(line)});
  if (captured.err.empty()) return;
  const Json errors = {{"file", name + ".err"},
                       {"what", "what the command said on standard error"},
                       {"bytes", captured.err.size()}};
  entries_.push_back({name + ".err", std::move(captured.err), errors});
}

void Collection::add_file(const std::string& name, const std::string& path) {
  if (!has_time_for(path)) return;
  const auto time = time_for_a_part();
  Captured captured = capture(
      [&] {
        std::ifstream file(path);
        if (!file) throw std::runtime_error("it is not there, or not for this user to read");
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
      },
      time, kBytesMax);
  if (!captured.late && captured.status != 0) return leave_out(path, captured.err);
  add(name, {{"file", name}, {"what", path}}, std::move(captured), time);
}

void Collection::add_command(const std::string& name, std::string_view about,
                             const std::vector<std::string>& words, std::string told) {
  if (told.empty()) told = spoken(words);
  if (!has_time_for(name)) return;
  const auto time = time_for_a_part();
  Captured captured = capture(words, time, kBytesMax);
  const Json line = {{"file", name},
                     {"what", about},
                     {"command", told},
                     {"exit", captured.status ? Json(*captured.status) : Json()}};
  add(name, line, std::move(captured), time);
}

void Collection::leave_out(std::string_view what, std::string_view why) {
  left_out_.push_back({{"what", what}, {"why", why}});
}

std::string Collection::take(std::int64_t time, Json about) {
  Json files = Json::array();
  for (const Entry& entry : entries_) files.push_back(entry.line);
  about["files"] = std::move(files);
  about["left_out"] = left_out_;
  Archive archive(time);
  const auto add = [&](std::string_view name, std::string_view content) {
    archive.add(fmt::format("{}{}", kDirectory, name), content);
  };
  add("manifest.json", about.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  for (const Entry& entry : entries_) add(entry.name, entry.content);
  return archive.take();
}

}  // namespace ringway::cli::bundle
