#include "daemon/configuration.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "control/access.hpp"
#include "control/shell_word.hpp"
#include "control/topic_settings.hpp"
#include "control/utf8.hpp"
#include "daemon/config_keys.hpp"
#include "daemon/config_value.hpp"
#include "daemon/key_depth.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon {
namespace {

constexpr std::string_view kVariablePrefix = "RINGWAYD_";
constexpr std::string_view kFileVariable = "RINGWAYD_CONFIG";
constexpr std::string_view kTopics = "topics";
constexpr std::string_view kTopicsVariable = "RINGWAYD_TOPICS";
constexpr std::size_t kFileBytesMax = 1024 * 1024;

struct RightsKey {
  std::string_view name;
  std::vector<std::string> TopicRights::* names;
};
constexpr std::array kRightsKeys{RightsKey{"readers", &TopicRights::readers},
                                 RightsKey{"writers", &TopicRights::writers},
                                 RightsKey{"admins", &TopicRights::admins}};

std::vector<std::string_view> key_names() {
  std::vector<std::string_view> names;
  for (const Key& key : config_keys()) names.push_back(key.name);
  return names;
}

/// Where an unknown key ought to stand, if it is only in the wrong table; else what is near.
std::string advice_for(std::string_view unknown) {
  const std::string_view short_name = unknown.substr(unknown.rfind('.') + 1);
  std::vector<std::string> places;
  for (const Key& key : config_keys()) {
    if (key.short_name() != short_name) continue;
    places.push_back(key.section().empty() ? "above the first [table]"
                                           : fmt::format("below [{}]", key.section()));
  }
  if (std::ranges::find(kRightsKeys, short_name, &RightsKey::name) != kRightsKeys.end()) {
    places.emplace_back("below [topics.\"NAME\"]");
  }
  if (places.empty()) return suggestion(unknown, key_names());
  return fmt::format("{} stands {}: move it there", short_name, fmt::join(places, ", or "));
}

bool is_section(std::string_view name) {
  return std::ranges::find(config_keys(), name, &Key::section) != config_keys().end();
}

/// What lets this process's user read the file.
std::string readable_by_us(const std::string& file) {
  const group* const own = ::getgrgid(::getegid());
  const std::string name = own != nullptr ? own->gr_name : std::to_string(::getegid());
  return fmt::format("let its user read it, as root: {} && {}",
                     control::typed("chgrp " + name, {file}), control::typed("chmod g+r", {file}));
}

Error cannot_be_read(const std::string& file, int refused) {
  const std::string why = std::generic_category().message(refused);
  return Error(ErrorCode::usage, file, fmt::format("the configuration cannot be read: {}", why),
               refused == EACCES
                   ? readable_by_us(file)
                   : "name a file that ringwayd may read; ringwayd --sample-config prints one");
}

/// SIGHUP reads it while topics are served: nothing here waits, or goes on without end.
std::string text_of(const std::string& file) {
  const shm::Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!opened) throw cannot_be_read(file, errno);
  struct stat status{};
  if (::fstat(opened.get(), &status) != 0) throw cannot_be_read(file, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::usage, file, "the configuration is no regular file",
                "write it into one; ringwayd --sample-config prints one");
  }
  std::string text;
  std::array<char, 4096> piece;
  while (text.size() <= kFileBytesMax) {
    const ssize_t got = ::read(opened.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw cannot_be_read(file, errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  throw Error(ErrorCode::usage, file, "the configuration has more than 1 MiB",
              "name the right file; ringwayd --sample-config prints one");
}

/// "value = TEXT", where that is TOML and nothing else; else the text as a string.
toml::table value_of(std::string_view text) {
  const std::string line = fmt::format("value = {}", text);
  try {
    if (!line_of_too_deep_key(line)) {
      toml::table parsed = toml::parse(line);
      if (parsed.size() == 1) return parsed;
    }
  } catch (const toml::parse_error&) {
    // Nobody quotes 16MiB, or a path, in a shell.
  }
  return toml::table{{"value", std::string(text)}};
}

}  // namespace

void Configuration::read_file(const std::filesystem::path& file) {
  file_ = file;
  read_text(text_of(file.string()), file.string());
}

void Configuration::read_text(std::string_view text, const std::string& name) {
  if (const auto line = line_of_too_deep_key(text)) {
    throw Error(ErrorCode::usage, fmt::format("{}:{}", name, *line),
                fmt::format("has a key of more than {} parts, and no key has as many",
                            kKeyPartsMax),
                "put a name that has dots in quotes; ringwayd --sample-config prints every key");
  }
  toml::table all;
  try {
    all = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::usage, fmt::format("{}:{}", name, error.source().begin.line),
                fmt::format("is no TOML: {}", error.description()), "");
  }
  const auto read_table = [&](const auto& self, const toml::table& table,
                              const std::string& prefix) -> void {
    for (const auto& [short_name, node] : table) {
      const std::string name_of_key = prefix + std::string(short_name.str());
      const Value value(node, name_of_key, name, Value::Source::file);
      if (name_of_key == kTopics) {
        read_topics(value);
      } else if (const Key* const key = find_key(name_of_key)) {
        read(*key, value);
      } else if (is_section(name_of_key)) {
        self(self, value.table("must be a table"), name_of_key + ".");
      } else {
        throw value.wrong("is no known key", advice_for(name_of_key));
      }
    }
  };
  read_table(read_table, all, "");
}

void Configuration::read_environment(const char* const* variables) {
  for (; *variables != nullptr; ++variables) {
    const std::string_view variable = *variables;
    const std::string name(variable.substr(0, variable.find('=')));
    if (!name.starts_with(kVariablePrefix) || name == kFileVariable) continue;
    const std::string_view text = variable.substr(std::min(name.size() + 1, variable.size()));
    if (name == kTopicsVariable) {
      const toml::table parsed = value_of(text);
      read_topics(Value(*parsed.get("value"), std::string(kTopics), name, Value::Source::line));
      continue;
    }
    const auto keys = config_keys();
    const auto key = std::ranges::find(keys, name, &Key::variable);
    if (key == keys.end()) {
      std::vector<std::string> known{std::string(kTopicsVariable)};
      for (const Key& each : keys) known.push_back(each.variable());
      const std::vector<std::string_view> views(known.begin(), known.end());
      unknown_[name] = suggestion(name, views);
      continue;
    }
    set(key->name, text, name);
  }
}

void Configuration::set(std::string_view key, std::string_view value, const std::string& where) {
  const toml::table parsed = value_of(value);
  read(*find_key(key), Value(*parsed.get("value"), std::string(key), where, Value::Source::line));
}

void Configuration::set_string(std::string_view key, const std::string& value,
                               const std::string& where) {
  const toml::table table{{"value", value}};
  read(*find_key(key), Value(*table.get("value"), std::string(key), where, Value::Source::line));
}

void Configuration::read(const Key& key, const Value& value) {
  key.read(config_, value);
  if (key.name == "create" && who_ >= MustExist::creators) check_accounts(value);
  origins_[std::string(key.name)] = {value.written(), value.where()};
}

void Configuration::read_topics(const Value& topics) {
  for (const auto& [topic, node] : topics.table("must be a table of topics")) {
    const std::string prefix = "topics." + toml_string(std::string(topic.str()));
    const Value rights = topics.within(node, prefix);
    try {
      control::validate_topic_name(topic.str());
    } catch (const Error& bad) {
      throw rights.wrong(bad.rule(), "no topic can have this name: write that of one that can");
    }
    TopicRights& into = config_.topics[std::string(topic.str())];
    for (const auto& [right, list] : rights.table("must be a table of rights")) {
      const std::string name = fmt::format("{}.{}", prefix, right.str());
      const Value names = topics.within(list, name);
      const auto known = std::ranges::find(kRightsKeys, right.str(), &RightsKey::name);
      if (known == kRightsKeys.end()) {
        constexpr std::array<std::string_view, 3> all{"readers", "writers", "admins"};
        throw names.wrong("is no known key", suggestion(right.str(), all));
      }
      into.*known->names = names.names();
      if (who_ >= MustExist::everybody) check_accounts(names);
      origins_[name] = {names.written(), names.where()};
    }
  }
}

void Configuration::check_accounts(const Value& names) const {
  for (const Value& name : names.elements()) {
    if (name.text() == "*" && name.key() == "create") continue;
    try {
      control::resolve({name.text()}, control::Accounts::system());
    } catch (const Error& unknown) {
      throw name.wrong(fmt::format("{} {}", unknown.thing(), unknown.rule()), unknown.fix());
    }
  }
}

void Configuration::complete() {
  config_.complete();
  const auto by_default = [&](std::string_view key, std::string value,
                              std::string_view where = {}) {
    origins_.try_emplace(std::string(key),
                         Origin{std::move(value), where.empty() ? "default" : std::string(where)});
  };
  by_default("runtime_dir", "", default_runtime_dir().variable);
  by_default("state_dir", "", default_state_dir().variable);
  by_default("socket", "", "default, in runtime_dir");
  by_default("metrics_socket", "", "default, beside socket");
  for (const Key& key : config_keys()) {
    if (!key.depends()) by_default(key.name, std::string(key.sample));
  }
  for (const auto& [key, path] : {std::pair{"runtime_dir", &config_.runtime_dir},
                                  {"state_dir", &config_.state_dir},
                                  {"socket", &config_.socket},
                                  {"metrics_socket", &config_.metrics_socket}}) {
    Origin& origin = origins_[key];
    if (!control::is_utf8(path->native())) {
      throw Error(ErrorCode::usage, fmt::format("{}: {}", origin.where, key), "is not valid UTF-8",
                  "name a path that is: what is said of it goes through JSON and TOML");
    }
    origin.value = toml_string(*path);
  }
  if (!config_.metrics_at_socket) origins_["metrics_socket"].value = toml_string("off");
}

std::string Configuration::text() const {
  std::string text;
  std::string_view section;
  const auto add = [&](std::string_view name, const Origin& origin) {
    text += fmt::format("{:<48} # {}\n", fmt::format("{} = {}", name, origin.value),
                        control::with_escaped_bytes(origin.where));
  };
  for (const Key& key : config_keys()) {
    if (key.section() != section) text += fmt::format("\n[{}]\n", section = key.section());
    add(key.short_name(), origins_.at(std::string(key.name)));
  }
  std::string table;
  for (const auto& [name, origin] : origins_) {
    if (find_key(name) != nullptr) continue;
    const auto dot = name.rfind('.');
    if (name.substr(0, dot) != table) text += fmt::format("\n[{}]\n", table = name.substr(0, dot));
    add(name.substr(dot + 1), origin);
  }
  return text;
}

std::optional<std::filesystem::path> default_config_file() {
  if (const char* const named = std::getenv(kFileVariable.data())) {
    if (*named == '\0') return std::nullopt;
    return named;
  }
  const std::filesystem::path directory = config_directory();
  if (directory.empty()) return std::nullopt;
  const std::filesystem::path file = directory / "ringwayd.toml";
  std::error_code unknown;  // whether it is there: reading it will tell
  if (!std::filesystem::exists(file, unknown) && !unknown) return std::nullopt;
  return file;
}

}  // namespace ringway::daemon
