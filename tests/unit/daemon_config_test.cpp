#include <stdlib.h>

#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "daemon/config.hpp"
#include "ringway/error.hpp"

namespace daemon_config_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

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

}  // namespace daemon_config_test
