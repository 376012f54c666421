#include "tools/bundle/collection.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "tools/bus_access.hpp"

namespace ringway::cli::bundle {
namespace {

constexpr std::size_t kBytesMax = 4 << 20;
constexpr std::string_view kDirectory = "ringway-debug/";

std::string spoken(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_quoted(word);
  return line;
}

}  // namespace

void Collection::add_text(const std::string& name, std::string_view about, std::string text) {
  const Json line = {{"file", name}, {"what", about}, {"bytes", text.size()}};
  entries_.push_back({name, std::move(text), line});
}

void Collection::add_file(const std::string& name, const std::string& path) {
  std::ifstream file(path);
  if (!file) return leave_out(path, "it is not there, or not for this user to read");
  std::ostringstream text;
  text << file.rdbuf();
  add_text(name, path, text.str().substr(0, kBytesMax));
}

void Collection::add_command(const std::string& name, std::string_view about,
                             const std::vector<std::string>& words) {
  Captured captured = capture(words, patience_, kBytesMax);
  Json line = {{"file", name},
               {"what", about},
               {"bytes", captured.out.size()},
               {"command", spoken(words)},
               {"exit", captured.status ? Json(*captured.status) : Json()}};
  if (captured.late) line["note"] = "ended: it took too long";
  if (captured.cut) line["note"] = fmt::format("cut after {} bytes", kBytesMax);
  entries_.push_back({name, std::move(captured.out), std::move(line)});
  if (captured.err.empty()) return;
  add_text(name + ".err", "what the command said on standard error", std::move(captured.err));
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
