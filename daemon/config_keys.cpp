#include "daemon/config_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>

#include "daemon/metrics/listening.hpp"

namespace ringway::daemon {
namespace {

constexpr std::uint64_t kKiB = 1024;

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
constexpr std::array kStores{std::pair{std::string_view("keeper"), StoreChoice::keeper},
                             std::pair{std::string_view("service"), StoreChoice::service}};
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

constexpr std::string_view kOff = "off";

std::string metrics_listen(const Value& value) {
  const std::string text = value.text();
  if (text == kOff) return "";
  if (!metrics::parse_loopback(text)) {
    throw value.wrong(fmt::format("'{}' is no port of a loopback address", text),
                      "write 127.0.0.1:PORT, [::1]:PORT or off: what others may see of it they get "
                      "through a proxy of yours");
  }
  return text;
}

constexpr std::array kKeys{
    Key{"runtime_dir", R"(#"/run/ringway")",
        "Where the sockets are. As a user: $XDG_RUNTIME_DIR/ringway.",
        [](Config& c, const Value& v) { c.runtime_dir = v.path(); }, true},
    Key{"state_dir", R"(#"/var/lib/ringway")",
        "Where catalog and log are. As a user: $XDG_STATE_HOME/ringway, else\n"
        "~/.local/state/ringway. Only one supervisor may use it at a time.",
        [](Config& c, const Value& v) { c.state_dir = v.path(); }, true},
    Key{"socket", R"(#"/run/ringway/control.sock")",
        "What clients connect to. Everybody may connect; rights are per topic.",
        [](Config& c, const Value& v) { c.socket = v.path(); }, true},
    Key{"descriptor_store", R"("keeper")",
        "What keeps the rings when the supervisor dies: keeper, a process of its own;\n"
        "service, the service manager (FileDescriptorStoreMax= of its unit).",
        [](Config& c, const Value& v) { c.descriptor_store = v.one_of(kStores); }, true},
    Key{"metrics_socket", R"(#"/run/ringway/metrics.sock")",
        "Where GET /metrics is answered: a Unix socket beside what clients connect to, for\n"
        "the service's own user and group; \"off\": not there.",
        [](Config& c, const Value& v) {
          c.metrics_at_socket = v.text() != kOff;
          c.metrics_socket = c.metrics_at_socket ? v.path() : "";
        },
        true},
    Key{"metrics_listen", R"("off")",
        "The same on a port of this host, where everybody on it may ask: 127.0.0.1:9464\n"
        "or [::1]:9464.",
        [](Config& c, const Value& v) { c.metrics_listen = metrics_listen(v); }, true},
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
        "How long an orderly stop may take: for producers to finish their claims, and for\n"
        "what is in the rings to reach the disk.",
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
    Key{"defaults.segment", R"("256MiB")", "Per log file; half the ring where that is more.",
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

}  // namespace

std::string_view Key::section() const noexcept {
  const auto dot = name.find('.');
  return dot == name.npos ? "" : name.substr(0, dot);
}

std::string_view Key::short_name() const noexcept {
  return section().empty() ? name : name.substr(section().size() + 1);
}

std::string Key::variable() const {
  std::string variable = "RINGWAYD_";
  for (const char c : name) {
    variable +=
        c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return variable;
}

std::span<const Key> config_keys() noexcept {
  return kKeys;
}

const Key* find_key(std::string_view name) noexcept {
  const auto* const known = std::ranges::find(kKeys, name, &Key::name);
  return known == kKeys.end() ? nullptr : known;
}

std::string sample_config() {
  std::string sample;
  std::string_view section;
  for (const Key& key : kKeys) {
    if (key.section() != section) sample += fmt::format("[{}]\n\n", section = key.section());
    for (std::size_t start = 0; start <= key.text.size();) {
      const auto end = std::min(key.text.find('\n', start), key.text.size());
      sample += fmt::format("# {}\n", key.text.substr(start, end - start));
      start = end + 1;
    }
    sample += fmt::format("{}{} = {}\n\n", key.depends() ? "# " : "", key.short_name(),
                          key.sample.substr(key.depends() ? 1 : 0));
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
