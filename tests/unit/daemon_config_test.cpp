#include <fmt/format.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/config_keys.hpp"
#include "daemon/configuration.hpp"
#include "daemon/reload.hpp"
#include "ringway/error.hpp"

namespace daemon_config_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

Config parse_config(std::string_view text, const std::string& name) {
  Configuration configuration;
  configuration.read_text(text, name);
  return configuration.config();
}

Error refusal(const std::string& text) {
  try {
    parse_config(text, "ringway.toml");
  } catch (const Error& error) {
    return error;
  }
  FAIL("was accepted: " << text);
  throw std::logic_error("unreachable");
}

/// Environment variables for the duration of a test.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::optional<std::string>>& variables) {
    for (const auto& [name, value] : variables) {
      const char* old = ::getenv(name.c_str());
      before_[name] = old == nullptr ? std::nullopt : std::optional<std::string>(old);
    }
    apply(variables);
  }
  ~Environment() { apply(before_); }

 private:
  static void apply(const std::map<std::string, std::optional<std::string>>& variables) {
    for (const auto& [name, value] : variables) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }
  std::map<std::string, std::optional<std::string>> before_;
};

const std::map<std::string, std::optional<std::string>> kBare{
    {"XDG_RUNTIME_DIR", {}},   {"XDG_STATE_HOME", {}}, {"STATE_DIRECTORY", {}},
    {"RUNTIME_DIRECTORY", {}}, {"INVOCATION_ID", {}},  {"NOTIFY_SOCKET", {}},
    {"HOME", "/home/alice"}};

Config completed(std::map<std::string, std::optional<std::string>> variables) {
  variables.insert(kBare.begin(), kBare.end());
  const Environment environment(variables);
  Config config;
  config.complete();
  return config;
}

}  // namespace

TEST_CASE("config: an unknown key names file, line and the nearest key", "[daemon]") {
  const Error error = refusal("[limits]\nmemory = \"1GiB\"\nhandels_per_topic = 3\n");
  CHECK(error.code() == ErrorCode::usage);
  CHECK(error.thing() == "ringway.toml:3: limits.handels_per_topic");
  CHECK(error.fix().find("limits.handles_per_topic") != std::string::npos);
  CHECK(refusal("sockett = \"/x\"").fix().find("'socket'") != std::string::npos);
  CHECK(refusal("[nonsense]\na = 1").thing() == "ringway.toml:1: nonsense");
  CHECK(refusal("[topics.orders]\nreader = []").fix().find("readers") != std::string::npos);
}

TEST_CASE("config: a wrong type or range names its line and rule", "[daemon]") {
  CHECK(refusal("socket = 3").rule() == "must be a string");
  CHECK(refusal("\n[limits]\ntopics = 0").thing() == "ringway.toml:3: limits.topics");
  CHECK(refusal("[defaults]\nring = \"100KiB\"").rule().find("power of two") != std::string::npos);
  CHECK(refusal("[limits]\nmemory = \"lots\"").thing() == "ringway.toml:2: limits.memory");
  CHECK(refusal("[disk]\nkeep_free = \"101%\"").rule().find("percentage") != std::string::npos);
  CHECK(refusal("[defaults]\nsync = \"always\"").rule().find("every_batch, interval, never") !=
        std::string::npos);
  CHECK(refusal("create = [1]").rule() == "must be an array of strings");
}

TEST_CASE("config: what is no TOML names its line", "[daemon]") {
  CHECK(refusal("socket = \"a\"\nsocket = = 3\n").thing() == "ringway.toml:2");
}

TEST_CASE("config: every kind of value is read", "[daemon]") {
  const Config config = parse_config(R"(
    socket = "/tmp/s"
    create = ["alice", "@staff"]
    [limits]
    memory = "3GiB"
    handles_per_topic = 17
    [disk]
    keep_free = "10%"
    [defaults]
    partitions = 4
    sync_interval = "20ms"
    retention_age = "7d"
    sync = "never"
    pin_budget = "2s"
    retired_max = "1GiB"
    when_pinned = "copy"
    [topics."orders/eu"]
    readers = ["bob"]
  )",
                                     "x");
  CHECK(config.socket == "/tmp/s");
  CHECK(config.create == std::vector<std::string>{"alice", "@staff"});
  CHECK(config.memory_bytes == 3ull << 30);
  CHECK(config.handles_per_topic_max == 17);
  CHECK(config.keep_free.of(1000) == 100);
  CHECK(config.defaults.partitions == 4);
  CHECK(config.defaults.sync_interval_ms == 20);
  CHECK(config.defaults.retention_age_ms == 7ull * 24 * 3600 * 1000);
  CHECK(config.defaults.sync == SyncPolicy::never);
  CHECK(config.defaults.pin_budget_ms == 2000);
  CHECK(config.defaults.retired_bytes_max == 1ull << 30);
  CHECK(config.defaults.when_pinned == WhenPinned::copy);
  CHECK(config.topics.at("orders/eu").readers == std::vector<std::string>{"bob"});
}

TEST_CASE("config: the sample says exactly the defaults", "[daemon]") {
  const Config sample = parse_config(sample_config(), "sample");
  const Config defaults;
  CHECK(sample.log_level == defaults.log_level);
  CHECK(sample.create == defaults.create);
  CHECK(sample.memory_bytes == defaults.memory_bytes);
  CHECK(sample.topics_max == defaults.topics_max);
  CHECK(sample.clients_max == defaults.clients_max);
  CHECK(sample.handles_per_topic_max == defaults.handles_per_topic_max);
  CHECK(sample.slots_per_client_max == defaults.slots_per_client_max);
  CHECK(sample.stop_patience_ms == defaults.stop_patience_ms);
  CHECK(sample.keep_free.of(12345) == defaults.keep_free.of(12345));
  CHECK(sample.defaults == defaults.defaults);
}

TEST_CASE("config: the sample leaves it to who starts it where the bus is", "[daemon]") {
  const std::string text = sample_config();
  const Config sample = parse_config(text, "sample");
  CHECK(sample.runtime_dir == "");
  CHECK(sample.state_dir == "");
  CHECK(sample.socket == "");
  for (const char* key : {"runtime_dir", "state_dir", "socket"}) {
    CHECK_THAT(text, Catch::Contains("\n# " + std::string(key) + " = "));
  }
}

TEST_CASE("config: directories follow from who started it", "[daemon]") {
  const Config user = completed({{"XDG_RUNTIME_DIR", "/run/user/7"}, {"XDG_STATE_HOME", "/s"}});
  CHECK(user.runtime_dir == "/run/user/7/ringway");
  CHECK(user.socket == "/run/user/7/ringway/control.sock");
  CHECK(user.state_dir == "/s/ringway");

  const Config service = completed({{"INVOCATION_ID", "1"}});
  CHECK(service.runtime_dir == "/run/ringway");
  CHECK(service.state_dir == "/var/lib/ringway");

  const Config shell_of_a_session =
      completed({{"INVOCATION_ID", "1"}, {"XDG_RUNTIME_DIR", "/run/user/7"}});
  CHECK(shell_of_a_session.state_dir == "/home/alice/.local/state/ringway");

  const Config named = completed({{"STATE_DIRECTORY", "/var/lib/a:/var/lib/b"}});
  CHECK(named.state_dir == "/var/lib/a");
}

TEST_CASE("config: the variable that a directory follows from is named", "[daemon]") {
  const auto where = [](const std::map<std::string, std::optional<std::string>>& variables,
                        const char* key) {
    std::map<std::string, std::optional<std::string>> all;
    for (const char* name : {"STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME",
                             "XDG_RUNTIME_DIR", "HOME", "INVOCATION_ID", "NOTIFY_SOCKET"}) {
      all[name] = std::nullopt;
    }
    for (const auto& [name, value] : variables) all[name] = value;
    const Environment environment(all);
    Configuration configuration;
    configuration.complete();
    return configuration.origins().at(key).where;
  };
  CHECK(where({{"STATE_DIRECTORY", "/a"}, {"HOME", "/b"}}, "state_dir") == "STATE_DIRECTORY");
  CHECK(where({{"XDG_STATE_HOME", "/a"}, {"HOME", "/b"}}, "state_dir") == "XDG_STATE_HOME");
  CHECK(where({{"HOME", "/b"}}, "state_dir") == "HOME");
  CHECK(where({{"INVOCATION_ID", "1"}, {"HOME", "/b"}}, "state_dir") == "default");
  CHECK(where({{"RUNTIME_DIRECTORY", "/a"}}, "runtime_dir") == "RUNTIME_DIRECTORY");
  CHECK(where({{"XDG_RUNTIME_DIR", "/a"}}, "runtime_dir") == "XDG_RUNTIME_DIR");
  CHECK(where({}, "runtime_dir") == "default");
  CHECK(where({}, "socket") == "default, in runtime_dir");
}

TEST_CASE("config: a key in the wrong table is told where it stands", "[daemon]") {
  CHECK(refusal("[limits]\ncreate = []").fix() ==
        "create stands above the first [table]: move it there");
  CHECK(refusal("[defaults]\nkeep_free = \"1GiB\"").fix() ==
        "keep_free stands below [disk]: move it there");
  CHECK(refusal("[limits]\nreaders = []").fix() ==
        "readers stands below [topics.\"NAME\"]: move it there");
  CHECK(refusal("ring = \"1MiB\"").fix() == "ring stands below [defaults]: move it there");
  CHECK(refusal("[limits]\ntopic = 1").fix() == "did you mean 'limits.topics'?");
}

Configuration layered(const std::string& file, std::vector<const char*> variables) {
  Configuration configuration;
  configuration.read_text(file, "ringway.toml");
  variables.push_back(nullptr);
  configuration.read_environment(variables.data());
  return configuration;
}

TEST_CASE("config: an environment variable goes over the file, and an option over it",
          "[daemon]") {
  Configuration configuration =
      layered("[limits]\ntopics = 5\nclients = 6\n[defaults]\nring = \"1MiB\"",
              {"RINGWAYD_LIMITS_TOPICS=7", "HOME=/", "RINGWAYD_CONFIG=x",
               "RINGWAYD_DEFAULTS_RING=64KiB", "RINGWAYD_CREATE=[\"alice\"]",
               "RINGWAYD_DEFAULTS_PERSIST=false", "RINGWAYD_SOCKET=/a"});
  configuration.set("socket", "/b", "--socket");
  configuration.complete();
  const Config& config = configuration.config();
  CHECK(config.topics_max == 7);
  CHECK(config.clients_max == 6);
  CHECK(config.defaults.ring_bytes == 64 * 1024);
  CHECK_FALSE(config.defaults.persist);
  CHECK(config.create == std::vector<std::string>{"alice"});
  CHECK(config.socket == "/b");
  const auto& origins = configuration.origins();
  CHECK(origins.at("limits.topics").where == "RINGWAYD_LIMITS_TOPICS");
  CHECK(origins.at("limits.clients").where == "ringway.toml:3");
  CHECK(origins.at("socket").where == "--socket");
  CHECK(origins.at("log_level").where == "default");
}

TEST_CASE("config: rights to topics in a variable go over those of the file, right by right",
          "[daemon]") {
  Configuration configuration =
      layered("[topics.\"a/b\"]\nreaders = [\"bob\"]\nwriters = [\"bob\"]\n",
              {R"(RINGWAYD_TOPICS={"a/b" = {readers = ["carol"]}, t.admins = ["@staff"]})"});
  configuration.complete();
  const auto& topics = configuration.config().topics;
  REQUIRE(topics.size() == 2);
  CHECK(topics.at("a/b").readers == std::vector<std::string>{"carol"});
  CHECK(topics.at("a/b").writers == std::vector<std::string>{"bob"});
  CHECK(topics.at("t").admins == std::vector<std::string>{"@staff"});
  const auto& origins = configuration.origins();
  CHECK(origins.at("topics.\"a/b\".readers").where == "RINGWAYD_TOPICS");
  CHECK(origins.at("topics.\"a/b\".writers").where == "ringway.toml:3");
}

TEST_CASE("config: a variable that holds no rights to topics is refused by name", "[daemon]") {
  for (const auto& [variable, said] :
       {std::pair{"RINGWAYD_TOPICS=bob", "RINGWAYD_TOPICS: topics: must be a table of topics"},
        {"RINGWAYD_TOPICS=", "RINGWAYD_TOPICS: topics: must be a table of topics"},
        {"RINGWAYD_TOPICS={a = [\"bob\"]}", "topics.\"a\": must be a table of rights"},
        {"RINGWAYD_TOPICS={a = {reader = [\"bob\"]}}", "did you mean 'readers'?"},
        {"RINGWAYD_TOPICS={a = {readers = \"bob\"}}", "must be an array of strings"}}) {
    CAPTURE(variable);
    CHECK_THROWS_WITH(layered("", {variable}), Catch::Contains(said));
  }
}

/// A value of a key that is not its default, and where it has to arrive.
struct Chosen {
  std::string_view key;
  std::string value;
  bool (*arrived)(const Config& config);
};

const Chosen kOfEachKey[]{
    {"runtime_dir", "/r", [](const Config& c) { return c.runtime_dir == "/r"; }},
    {"state_dir", "/s", [](const Config& c) { return c.state_dir == "/s"; }},
    {"socket", "/c", [](const Config& c) { return c.socket == "/c"; }},
    {"descriptor_store", "service",
     [](const Config& c) { return c.descriptor_store == StoreChoice::service; }},
    {"metrics_socket", "/m", [](const Config& c) { return c.metrics_socket == "/m"; }},
    {"metrics_listen", "127.0.0.1:9464",
     [](const Config& c) { return c.metrics_listen == "127.0.0.1:9464"; }},
    {"log_level", "debug", [](const Config& c) { return c.log_level == "debug"; }},
    {"create", "[\"*\"]", [](const Config& c) { return c.create.size() == 1; }},
    {"stop_patience", "11s", [](const Config& c) { return c.stop_patience_ms == 11'000; }},
    {"limits.memory", "12MiB", [](const Config& c) { return c.memory_bytes == 12 << 20; }},
    {"limits.topics", "13", [](const Config& c) { return c.topics_max == 13; }},
    {"limits.clients", "14", [](const Config& c) { return c.clients_max == 14; }},
    {"limits.handles_per_topic", "15",
     [](const Config& c) { return c.handles_per_topic_max == 15; }},
    {"limits.slots_per_client", "1600",
     [](const Config& c) { return c.slots_per_client_max == 1600; }},
    {"disk.keep_free", "17%", [](const Config& c) { return c.keep_free.percent == 17; }},
    {"defaults.partitions", "18", [](const Config& c) { return c.defaults.partitions == 18; }},
    {"defaults.ring", "1MiB", [](const Config& c) { return c.defaults.ring_bytes == 1 << 20; }},
    {"defaults.segment", "19MiB",
     [](const Config& c) { return c.defaults.segment_bytes == 19 << 20; }},
    {"defaults.sync", "never",
     [](const Config& c) { return c.defaults.sync == SyncPolicy::never; }},
    {"defaults.sync_interval", "20ms",
     [](const Config& c) { return c.defaults.sync_interval_ms == 20; }},
    {"defaults.sync_bytes", "21KiB",
     [](const Config& c) { return c.defaults.sync_bytes == 21 << 10; }},
    {"defaults.persist", "false", [](const Config& c) { return !c.defaults.persist; }},
    {"defaults.when_full", "overwrite",
     [](const Config& c) { return c.defaults.when_full == WhenFull::overwrite; }},
    {"defaults.when_disk_fails", "memory",
     [](const Config& c) { return c.defaults.when_disk_fails == WhenDiskFails::memory; }},
    {"defaults.retention_bytes", "22MiB",
     [](const Config& c) { return c.defaults.retention_bytes == 22 << 20; }},
    {"defaults.retention_age", "23s",
     [](const Config& c) { return c.defaults.retention_age_ms == 23'000; }},
    {"defaults.when_stopped", "fence",
     [](const Config& c) { return c.defaults.when_stopped == WhenStopped::fence; }},
    {"defaults.stopped_after", "24s",
     [](const Config& c) { return c.defaults.stopped_after_ms == 24'000; }},
    {"defaults.pin_budget", "25s",
     [](const Config& c) { return c.defaults.pin_budget_ms == 25'000; }},
    {"defaults.retired_max", "26MiB",
     [](const Config& c) { return c.defaults.retired_bytes_max == 26 << 20; }},
    {"defaults.when_pinned", "copy",
     [](const Config& c) { return c.defaults.when_pinned == WhenPinned::copy; }},
};

TEST_CASE("config: each key has a variable, which goes over the file", "[daemon]") {
  REQUIRE(std::size(kOfEachKey) == config_keys().size());
  for (const Chosen& chosen : kOfEachKey) {
    CAPTURE(chosen.key);
    const Key* const key = find_key(chosen.key);
    REQUIRE(key != nullptr);
    const std::string setting = key->variable() + "=" + chosen.value;
    const std::string file = key->depends() ? fmt::format("{} = \"/file\"", key->name)
                                            : fmt::format("{} = {}", key->name, key->sample);
    Configuration without = layered(file, {"HOME=/"});
    Configuration with = layered(file, {setting.c_str()});
    without.complete();
    with.complete();
    CHECK_FALSE(chosen.arrived(without.config()));
    CHECK(chosen.arrived(with.config()));
    for (const auto& [name, origin] : with.origins()) {
      CHECK((origin.where == key->variable()) == (name == chosen.key));
    }
  }
}

TEST_CASE("config: a variable that holds no value of its key is refused by name", "[daemon]") {
  CHECK_THROWS_WITH(layered("", {"RINGWAYD_LIMITS_TOPICS=many"}),
                    Catch::Contains("RINGWAYD_LIMITS_TOPICS: limits.topics: must be an integer"));
  CHECK_THROWS_WITH(layered("", {"RINGWAYD_LIMITS_TOPICS=7\nlog_level = \"debug\""}),
                    Catch::Contains("must be an integer"));
}

TEST_CASE("config: a variable that is no key is told of, with the nearest", "[daemon]") {
  const Configuration configuration =
      layered("", {"RINGWAYD_LIMIT_TOPICS=7", "RINGWAYD_TOPIC={}"});
  CHECK(configuration.unknown_variables() ==
        std::map<std::string, std::string>{
            {"RINGWAYD_LIMIT_TOPICS", "did you mean 'RINGWAYD_LIMITS_TOPICS'?"},
            {"RINGWAYD_TOPIC", "did you mean 'RINGWAYD_TOPICS'?"}});
}

TEST_CASE("config: a path that is empty is none", "[daemon]") {
  CHECK_THROWS_WITH(layered("", {"RINGWAYD_STATE_DIR="}),
                    Catch::Contains("RINGWAYD_STATE_DIR: state_dir: is empty"));
}

TEST_CASE("config: what is printed of it is a file that says the same", "[daemon]") {
  Configuration configuration = layered(
      "log_level = \"debug\"\n[topics.\"a/b\"]\nreaders = [\"@staff\", \"bob\"]\n",
      {"RINGWAYD_STATE_DIR=/var/\"q\"", "RINGWAYD_RUNTIME_DIR=/r", "RINGWAYD_LIMITS_MEMORY=3GiB"});
  configuration.complete();
  Configuration again;
  again.read_text(configuration.text(), "printed");
  again.complete();
  CHECK(changes(configuration, again).empty());
  CHECK(again.config().state_dir == "/var/\"q\"");
  CHECK(again.config().topics.at("a/b").readers == std::vector<std::string>{"@staff", "bob"});
  CHECK_THAT(configuration.text(), Catch::Contains("# ringway.toml:1"));
}

TEST_CASE("config: what is printed reads back, whatever names, paths and the file are called",
          "[daemon]") {
  for (const std::string name : {"a b", "a.b.c.d.e.f.g.h.i.j", "\"", "a\"]\"", "\\", "\\u0041", "'",
                                 "'''", "=", "true", "a/b", "ü", "a \" b"}) {
    CAPTURE(name);
    const std::string path = "/" + name + "\t\n\x7f\u0085";
    Configuration configuration;
    configuration.read_text("[topics." + toml_string(name) + "]\nreaders = [" + toml_string(path) +
                                "]\nwriters = []\n",
                            "a\nlog_level = 1\xff.toml");
    configuration.set_string("state_dir", path, "--state-dir");
    configuration.complete();
    CAPTURE(configuration.text());
    Configuration again;
    again.read_text(configuration.text(), "printed");
    again.complete();
    CHECK(changes(configuration, again).empty());
    CHECK(again.config().state_dir == path);
    CHECK(again.config().topics.at(name).readers == std::vector<std::string>{path});
  }
}

TEST_CASE("config: rights to what no topic can be named are refused by the rule of names",
          "[daemon]") {
  for (const auto& [name, rule] :
       {std::pair{R"("")", "has 0 bytes; 1 to 249 are allowed"},
        {"_x", "starts with '_' or '$', which are kept for the bus itself"},
        {R"("a+")", "holds '+' or '#', which are kept for patterns"},
        {R"("a//b")", "has an empty level between '/'"},
        {R"("a\nb")", "holds a control character"}}) {
    const Error error = refusal(fmt::format("\n[topics.{}]\nreaders = []", name));
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.rule() == rule);
    CHECK_THAT(error.thing(), Catch::StartsWith("ringway.toml:2: topics.\""));
    CHECK_THAT(error.thing(), !Catch::Contains("\n"));
    CHECK_FALSE(error.fix().empty());
  }
  CHECK_THROWS_WITH(layered("", {R"(RINGWAYD_TOPICS={"$x" = {}})"}),
                    Catch::StartsWith("RINGWAYD_TOPICS: topics.\"$x\": starts with '_' or '$'"));
}

TEST_CASE("reload: names what changed, and leaves what only a start reads", "[daemon]") {
  Configuration before =
      layered("[limits]\ntopics = 5\n[topics.t]\nreaders = [\"bob\"]", {"RINGWAYD_STATE_DIR=/s"});
  Configuration now = layered("[defaults]\nsync_interval = \"5ms\"\n[limits]\ntopics = 6",
                              {"RINGWAYD_STATE_DIR=/other", "RINGWAYD_DESCRIPTOR_STORE=service"});
  before.complete();
  now.complete();
  const auto all = changes(before, now);
  std::map<std::string, ConfigChange> by_key;
  for (const ConfigChange& change : all) by_key[change.key] = change;
  REQUIRE(by_key.size() == 4);
  CHECK(by_key.at("limits.topics").from == "5");
  CHECK(by_key.at("limits.topics").to == "6");
  CHECK_FALSE(by_key.at("limits.topics").at_start);
  CHECK(by_key.at("state_dir").at_start);
  CHECK(by_key.at("descriptor_store").at_start);
  CHECK(by_key.at("topics.\"t\".readers").to.empty());
  const Config config = reloaded(before.config(), now.config());
  CHECK(config.topics_max == 6);
  CHECK(config.state_dir == "/s");
  CHECK(config.descriptor_store == StoreChoice::keeper);
  CHECK(config.topics.empty());
}

}  // namespace daemon_config_test
