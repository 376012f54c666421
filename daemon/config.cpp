#include "daemon/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>
#include <span>

#include "control/access.hpp"
#include "daemon/config_value.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

constexpr std::uint64_t kKiB = 1024;

struct Key {
  std::string_view name;    ///< dotted
  std::string_view sample;  ///< its default, as TOML; behind '#' where that depends on who asks
  std::string_view text;    ///< for people; "\n" separates lines
  void (*read)(Config& config, const Value& value);
};

constexpr std::array kSyncPolicies{
    std::pair{std::string_view("every_batch"), SyncPolicy::every_batch},
    std::pair{std::string_view("interval"), SyncPolicy::interval},
    std::pair{std::string_view("never"), SyncPolicy::never}};
constexpr std::array kWhenFull{std::pair{std::string_view("block"), WhenFull::block},
                               std::pair{std::string_view("overwrite"), WhenFull::overwrite}};
constexpr std::array kWhenStopped{std::pair{std::string_view("wait"), WhenStopped::wait},
                                  std::pair{std::string_view("fence"), WhenStopped::fence},
                                  std::pair{std::string_view("kill"), WhenStopped::kill}};
constexpr std::array kWhenPinned{std::pair{std::string_view("wait"), WhenPinned::wait},
                                 std::pair{std::string_view("copy"), WhenPinned::copy},
                                 std::pair{std::string_view("kill"), WhenPinned::kill}};
constexpr std::array kWhenDiskFails{std::pair{std::string_view("wait"), WhenDiskFails::wait},
                                    std::pair{std::string_view("memory"), WhenDiskFails::memory}};
constexpr std::array kLevels{
    std::pair{std::string_view("debug"), 0}, std::pair{std::string_view("info"), 1},
    std::pair{std::string_view("warning"), 2}, std::pair{std::string_view("error"), 3}};

KeepFree keep_free(const Value& value) {
  const std::string text = value.text();
  if (!text.ends_with('%')) return {.bytes = std::max<std::uint64_t>(1, value.size())};
  const std::string number = text.substr(0, text.size() - 1);
  std::uint32_t percent = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), percent);
  if (error != std::errc{} || end != number.data() + number.size() || percent > 99) {
    throw value.wrong("must be a size or a percentage from 0% to 99%");
  }
  return {.bytes = 0, .percent = percent};
}

// The one place where a key is named, explained and read. Keys without a section come first.
constexpr std::array kKeys{
    Key{"runtime_dir", R"(#"/run/ringway")",
        "Where the sockets are. As a user: $XDG_RUNTIME_DIR/ringway.",
        [](Config& c, const Value& v) { c.runtime_dir = v.text(); }},
    Key{"state_dir", R"(#"/var/lib/ringway")",
        "Where catalog and log are. As a user: $XDG_STATE_HOME/ringway, else\n"
        "~/.local/state/ringway. Only one supervisor may use it at a time.",
        [](Config& c, const Value& v) { c.state_dir = v.text(); }},
    Key{"socket", R"(#"/run/ringway/control.sock")",
        "What clients connect to. Everybody may connect; rights are per topic.",
        [](Config& c, const Value& v) { c.socket = v.text(); }},
    Key{"log_level", R"("info")", "debug, info, warning or error.",
        [](Config& c, const Value& v) {
          v.one_of(kLevels);
          c.log_level = v.text();
        }},
    Key{"create", "[]",
        "Who may create topics, beside the supervisor's own user and root: users,\n"
        "\"@group\"s, or \"*\" for everybody who can connect.",
        [](Config& c, const Value& v) { c.create = v.names(); }},
    Key{"stop_patience", R"("5s")",
        "How long an orderly stop waits for a producer to finish its claim.",
        [](Config& c, const Value& v) { c.stop_patience_ms = v.duration_ms(); }},
    Key{"limits.memory", R"("0B")",
        "Shared memory for all topics together. 0B: half of the RAM, or of the\n"
        "memory cgroup's limit.",
        [](Config& c, const Value& v) { c.memory_bytes = v.size(); }},
    Key{"limits.topics", "4096", "How many topics there may be.",
        [](Config& c, const Value& v) { c.topics_max = v.count<std::uint32_t>(1, 100'000); }},
    Key{"limits.clients", "1024", "How many processes may be connected or hold topics open.",
        [](Config& c, const Value& v) { c.clients_max = v.count<std::uint32_t>(1, 100'000); }},
    Key{"limits.handles_per_topic", "256",
        "How many producers and consumers may have one topic open. Counts for topics\n"
        "whose memory is made from now on.",
        [](Config& c, const Value& v) {
          c.handles_per_topic_max = v.count<std::uint32_t>(1, 65'536);
        }},
    Key{"limits.slots_per_client", "65536",
        "How many partitions a process may have open, counted per handle.",
        [](Config& c, const Value& v) {
          c.slots_per_client_max = v.count<std::uint32_t>(480, 1'000'000);
        }},
    Key{"disk.keep_free", R"("5%")",
        "What the log leaves free on its disk, as a size or a percentage: below it the\n"
        "oldest segments that no cursor protects go.",
        [](Config& c, const Value& v) { c.keep_free = keep_free(v); }},
    Key{"defaults.partitions", "1", "What a topic gets where `topic create` leaves it open.",
        [](Config& c, const Value& v) {
          c.defaults.partitions = v.count<std::uint32_t>(1, 10'000);
        }},
    Key{"defaults.ring", R"("16MiB")", "Per partition; a power of two from 64KiB to 4GiB.",
        [](Config& c, const Value& v) {
          c.defaults.ring_bytes = v.size();
          if (!std::has_single_bit(c.defaults.ring_bytes) || c.defaults.ring_bytes < 64 * kKiB ||
              c.defaults.ring_bytes > 4 * kKiB * kKiB * kKiB) {
            throw v.wrong("must be a power of two from 64KiB to 4GiB");
          }
        }},
    Key{"defaults.segment", R"("256MiB")", "Per log file.",
        [](Config& c, const Value& v) {
          c.defaults.segment_bytes = v.size();
          if (c.defaults.segment_bytes < 256 * kKiB) throw v.wrong("must be at least 256KiB");
        }},
    Key{"defaults.sync", R"("interval")", "every_batch, interval or never.",
        [](Config& c, const Value& v) { c.defaults.sync = v.one_of(kSyncPolicies); }},
    Key{"defaults.sync_interval", R"("5ms")", "For sync = \"interval\": after this time,",
        [](Config& c, const Value& v) { c.defaults.sync_interval_ms = v.duration_ms(1, 60'000); }},
    Key{"defaults.sync_bytes", R"("4MiB")", "or this much, whichever comes first.",
        [](Config& c, const Value& v) {
          c.defaults.sync_bytes = v.size();
          if (c.defaults.sync_bytes < 4 * kKiB) throw v.wrong("must be at least 4KiB");
        }},
    Key{"defaults.persist", "true", "Whether there is a log at all.",
        [](Config& c, const Value& v) { c.defaults.persist = v.flag(); }},
    Key{"defaults.when_full", R"("block")", "Without persistence: block or overwrite.",
        [](Config& c, const Value& v) { c.defaults.when_full = v.one_of(kWhenFull); }},
    Key{"defaults.when_disk_fails", R"("wait")", "With persistence: wait or memory.",
        [](Config& c, const Value& v) { c.defaults.when_disk_fails = v.one_of(kWhenDiskFails); }},
    Key{"defaults.retention_bytes", R"("0B")", "Per partition; 0B: no limit.",
        [](Config& c, const Value& v) { c.defaults.retention_bytes = v.size(); }},
    Key{"defaults.retention_age", R"("0s")", "0s: no limit.",
        [](Config& c, const Value& v) { c.defaults.retention_age_ms = v.duration_ms(); }},
    Key{"defaults.when_stopped", R"("wait")",
        "wait, fence or kill: what is done about a producer that is alive but stands still\n"
        "in mid-claim,",
        [](Config& c, const Value& v) { c.defaults.when_stopped = v.one_of(kWhenStopped); }},
    Key{"defaults.stopped_after", R"("5s")", "after this time.",
        [](Config& c, const Value& v) {
          c.defaults.stopped_after_ms = v.duration_ms(10, 3'600'000);
        }},
    Key{"defaults.pin_budget", R"("1s")",
        "How long a consumer's records held in place may keep producers of a persisted\n"
        "topic waiting before they get another ring; 0s: as long as it likes.",
        [](Config& c, const Value& v) { c.defaults.pin_budget_ms = v.duration_ms(0, 3'600'000); }},
    Key{"defaults.retired_max", R"("0B")",
        "How much of replaced rings consumers may hold in place; 0B: four times the\n"
        "topic's rings; less than its rings: none is left to them.",
        [](Config& c, const Value& v) { c.defaults.retired_bytes_max = v.size(); }},
    Key{"defaults.when_pinned", R"("wait")",
        "wait, copy or kill: what is done about a consumer beyond pin_budget where\n"
        "retired_max allows no other ring.",
        [](Config& c, const Value& v) { c.defaults.when_pinned = v.one_of(kWhenPinned); }},
};

struct RightsKey {
  std::string_view name;
  std::vector<std::string> TopicRights::* names;
};
constexpr std::array kRightsKeys{RightsKey{"readers", &TopicRights::readers},
                                 RightsKey{"writers", &TopicRights::writers},
                                 RightsKey{"admins", &TopicRights::admins}};

std::string rights_key(std::string_view topic, std::string_view right) {
  return fmt::format("topics.\"{}\".{}", topic, right);
}

std::vector<std::string_view> key_names() {
  std::vector<std::string_view> names;
  for (const Key& key : kKeys) names.push_back(key.name);
  return names;
}

void read_topics(Config& config, const toml::node& node, const std::string& file) {
  const toml::table* topics = node.as_table();
  if (topics == nullptr) throw Value(node, "topics", file).wrong("must be a table of topics");
  for (const auto& [topic, value] : *topics) {
    const std::string prefix = fmt::format("topics.\"{}\"", topic.str());
    const toml::table* rights = value.as_table();
    if (rights == nullptr) throw Value(value, prefix, file).wrong("must be a table of rights");
    TopicRights& into = config.topics[std::string(topic.str())];
    for (const auto& [name, names] : *rights) {
      const Value read(names, rights_key(topic.str(), name.str()), file);
      const auto known = std::ranges::find(kRightsKeys, name.str(), &RightsKey::name);
      if (known == kRightsKeys.end()) {
        constexpr std::array<std::string_view, 3> all{"readers", "writers", "admins"};
        throw read.wrong("is no known key", suggestion(name.str(), all));
      }
      into.*known->names = read.names();
    }
  }
}

void read_table(Config& config, const toml::table& table, const std::string& prefix,
                const std::string& file) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (key == "topics") {
      read_topics(config, node, file);
      continue;
    }
    if (const auto known = std::ranges::find(kKeys, key, &Key::name); known != kKeys.end()) {
      known->read(config, Value(node, key, file));
      continue;
    }
    const bool is_section = std::ranges::any_of(
        kKeys, [&](const Key& candidate) { return candidate.name.starts_with(key + "."); });
    if (!is_section) {
      throw Value(node, key, file).wrong("is no known key", suggestion(key, key_names()));
    }
    const toml::table* section = node.as_table();
    if (section == nullptr) throw Value(node, key, file).wrong("must be a table");
    read_table(config, *section, key + ".", file);
  }
}

/// Looks up the users and groups in an array that was read by now.
void demand_accounts(const toml::node& names, const std::string& key, const std::string& file) {
  for (const toml::node& node : *names.as_array()) {
    const Value name(node, key, file);
    if (key == "create" && name.text() == "*") continue;
    try {
      control::resolve({name.text()}, control::Accounts::system());
    } catch (const Error& unknown) {
      throw name.wrong(fmt::format("{} {}", unknown.thing(), unknown.rule()), unknown.fix());
    }
  }
}

void demand_accounts(const toml::table& table, const std::string& file, MustExist who) {
  if (const toml::node* create = table.get("create"); create && who >= MustExist::creators) {
    demand_accounts(*create, "create", file);
  }
  const toml::node* topics = table.get("topics");
  if (topics == nullptr || who < MustExist::everybody) return;
  for (const auto& [topic, rights] : *topics->as_table()) {
    for (const auto& [right, names] : *rights.as_table()) {
      demand_accounts(names, rights_key(topic.str(), right.str()), file);
    }
  }
}

std::filesystem::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  // A relative path in such a variable is to be ignored (XDG base directory specification).
  return value != nullptr && value[0] == '/' ? std::filesystem::path(value)
                                             : std::filesystem::path();
}

/// systemd may name several directories, separated by colons; the first is ours.
std::filesystem::path service_directory(const char* name) {
  const std::string all = from_environment(name).string();
  return all.substr(0, all.find(':'));
}

/// Started by the system's service manager. INVOCATION_ID alone proves nothing: shells inherit it
/// from a user's session, which has XDG_RUNTIME_DIR, too.
bool is_system_service() {
  return std::getenv("XDG_RUNTIME_DIR") == nullptr &&
         (std::getenv("INVOCATION_ID") != nullptr || std::getenv("NOTIFY_SOCKET") != nullptr);
}

std::filesystem::path default_runtime_dir() {
  if (const auto given = service_directory("RUNTIME_DIRECTORY"); !given.empty()) return given;
  if (const auto xdg = from_environment("XDG_RUNTIME_DIR"); !xdg.empty()) return xdg / "ringway";
  return "/run/ringway";
}

std::filesystem::path default_state_dir() {
  if (const auto given = service_directory("STATE_DIRECTORY"); !given.empty()) return given;
  if (is_system_service()) return "/var/lib/ringway";
  if (const auto xdg = from_environment("XDG_STATE_HOME"); !xdg.empty()) return xdg / "ringway";
  if (const auto home = from_environment("HOME"); !home.empty()) {
    return home / ".local/state/ringway";
  }
  return "/var/lib/ringway";
}

}  // namespace

void Config::complete() {
  if (runtime_dir.empty()) runtime_dir = default_runtime_dir();
  if (state_dir.empty()) state_dir = default_state_dir();
  runtime_dir = std::filesystem::absolute(runtime_dir).lexically_normal();
  state_dir = std::filesystem::absolute(state_dir).lexically_normal();
  socket = socket.empty() ? runtime_dir / "control.sock" : std::filesystem::absolute(socket);
}

Config read_config(const std::filesystem::path& file, MustExist who) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  std::array<char, 4096> piece;
  do {
    stream.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
  } while (stream);
  if (!stream.is_open() || stream.bad()) {
    const std::string why = std::generic_category().message(errno);
    throw Error(ErrorCode::usage, file.string(),
                fmt::format("the configuration cannot be read: {}", why),
                "name a file that ringwayd may read; ringwayd --sample-config prints one");
  }
  return parse_config(text, file.string(), who);
}

Config parse_config(std::string_view text, const std::string& name, MustExist who) {
  try {
    Config config;
    const toml::table table = toml::parse(text, name);
    read_table(config, table, "", name);
    demand_accounts(table, name, who);
    return config;
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::usage, fmt::format("{}:{}", name, error.source().begin.line),
                fmt::format("is no TOML: {}", error.description()), "");
  }
}

std::string sample_config() {
  std::string sample;
  std::string_view section;
  for (const Key& key : kKeys) {
    const auto dot = key.name.find('.');
    const std::string_view of = dot == key.name.npos ? "" : key.name.substr(0, dot);
    if (of != section) sample += fmt::format("[{}]\n\n", section = of);
    for (std::size_t start = 0; start <= key.text.size();) {
      const auto end = std::min(key.text.find('\n', start), key.text.size());
      sample += fmt::format("# {}\n", key.text.substr(start, end - start));
      start = end + 1;
    }
    const bool depends = key.sample.starts_with('#');
    sample += fmt::format("{}{} = {}\n\n", depends ? "# " : "",
                          key.name.substr(dot == key.name.npos ? 0 : dot + 1),
                          key.sample.substr(depends ? 1 : 0));
  }
  sample +=
      "# Rights that are added to those a topic was created with.\n"
      "# [topics.\"orders\"]\n"
      "# readers = [\"alice\", \"@accounting\"]\n"
      "# writers = [\"shop\"]\n"
      "# admins = [\"@wheel\"]\n";
  return sample;
}

}  // namespace ringway::daemon
