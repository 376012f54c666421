// What a Supervisor says of itself and of its bus.

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "control/quantity.hpp"
#include "control/utf8.hpp"
#include "daemon/short_list.hpp"
#include "daemon/supervisor.hpp"
#include "daemon/topic_report.hpp"
#include "daemon/without_topic.hpp"

namespace ringway::daemon {
namespace {

// Of the lists in a status report, which is one message (control/channel.hpp) and says more.
constexpr std::size_t kClientBytes = 200;  // as the library's names at most
constexpr std::size_t kSessionsBytes = 120 * 1024;
constexpr std::size_t kDegradedBytes = 32 * 1024;
constexpr std::size_t kTroublesBytes = 40 * 1024;
constexpr std::size_t kExclusiveBytes = 16 * 1024;
constexpr std::size_t kCopyingBytes = 16 * 1024;

}  // namespace

std::string Supervisor::summary() const {
  using control::counted;
  std::string line = fmt::format("Serving {}, {}", counted(registry_.all().size(), "topic"),
                                 counted(sessions_.all().size(), "client"));
  const std::vector<control::StatusTrouble> all = troubles(OfPartitions::told);
  if (!all.empty()) line += fmt::format("; degraded: {}", all.front().text);
  if (all.size() > 1) line += fmt::format(", and {} more", all.size() - 1);
  return line;
}

/// Everything that is not as it should be, but perhaps for partitions.
std::vector<control::StatusTrouble> Supervisor::troubles(OfPartitions of_partitions) const {
  using control::TroubleKind;
  std::vector<control::StatusTrouble> all;
  for (const auto& [name, topic] : registry_.all()) {
    if (topic->deleting) continue;
    if (!topic->served) {
      all.push_back({.what = TroubleKind::topic_not_served,
                     .topic = name,
                     .reason = topic->fault,
                     .text = fmt::format("topic '{}' is not served: {}", name, topic->fault)});
      continue;
    }
    std::ranges::move(topic->damage.troubles(*topic->served), std::back_inserter(all));
    if (of_partitions == OfPartitions::left_out) continue;
    std::ranges::move(held_partitions(*topic), std::back_inserter(all));
  }
  for (const auto& directory : logs_without_topic_) {
    all.push_back(
        {.what = TroubleKind::log_without_topic,
         .path = directory.string(),
         .text = fmt::format("{} is the log of a topic that the catalog does not have; {}",
                             directory.string(), kFixOfLogWithoutTopic)});
  }
  std::ranges::move(retention_.troubles(), std::back_inserter(all));
  std::ranges::move(registry_.waiting(), std::back_inserter(all));
  if (auto silent = keepsakes_.trouble()) all.push_back(std::move(*silent));
  all.insert(all.end(), failed_chores_.begin(), failed_chores_.end());
  all.insert(all.end(), lasting_troubles_.begin(), lasting_troubles_.end());
  return all;
}

void Supervisor::ask_for_inventory(std::function<void(metrics::Inventory)> take) {
  parts_.post([this, take = std::move(take)] { take(inventory()); });
}

/// Without a look at partitions: whoever asked has the boards.
metrics::Inventory Supervisor::inventory() {
  using control::TroubleKind;
  take_latencies();
  metrics::Inventory all;
  metrics::take_stock(all, registry_, sessions_);
  for (const auto& trouble : troubles(OfPartitions::left_out)) all.troubles.add(trouble.what);
  all.epoch = epoch_;
  all.started_ns = static_cast<std::uint64_t>(started_ns_);
  all.memory_used = registry_.memory_used();
  all.memory_limit = registry_.memory_limit();
  all.keep_free = options_.config.keep_free;
  all.retired_segments = retention_.retired();
  const TroubleResponse::Killed killed = trouble_response_.killed();
  all.killed_producers = killed.producers;
  all.killed_consumers = killed.consumers;
  return all;
}

nlohmann::json Supervisor::status() const {
  using std::chrono::duration_cast;
  const auto uptime = std::chrono::steady_clock::now() - started_;
  ShortList sessions(kSessionsBytes);
  for (const auto& [id, session] : sessions_.all()) {
    sessions.add({{"pid", session->process.pid},
                  {"user", session->user},
                  {"client", control::cut(session->client, kClientBytes)},
                  {"version", session->version.empty() ? "unknown" : session->version},
                  {"handles", session->handles.size()},
                  {"connected", static_cast<bool>(session->disconnect)}});
  }
  ShortList exclusive(kExclusiveBytes);
  ShortList copying(kCopyingBytes);
  for (const auto& [name, topic] : registry_.all()) {
    if (topic->deleting || !topic->served) continue;
    if (const auto pid = exclusive_pid(*topic)) {
      exclusive.add({{"topic", name}, {"exclusive_pid", *pid}});
    }
    for (const std::uint32_t pid : copying_pids(*topic)) {
      copying.add({{"topic", name}, {"pid", pid}});
    }
  }
  const std::vector<control::StatusTrouble> all = troubles(OfPartitions::told);
  ShortList degraded(kDegradedBytes);
  ShortList told(kTroublesBytes);
  for (const control::StatusTrouble& trouble : all) {
    degraded.add(trouble.text);
    told.add(to_json(trouble));
  }
  nlohmann::json left_out = nlohmann::json::object();
  for (const auto& [name, list] : std::initializer_list<std::pair<const char*, const ShortList*>>{
           {"sessions", &sessions},
           {"exclusive", &exclusive},
           {"copying", &copying},
           {"degraded", &degraded},
           {"troubles", &told}}) {
    if (list->left_out() != 0) left_out[name] = list->left_out();
  }
  const TroubleResponse::Killed killed = trouble_response_.killed();
  struct statvfs disk{};
  ::statvfs(options_.config.state_dir.c_str(), &disk);
  return {
      {"version", RINGWAY_VERSION},
      {"pid", ::getpid()},
      {"epoch", epoch_},
      {"socket", options_.config.socket.string()},
      {"runtime_dir", options_.config.runtime_dir.string()},
      {"state_dir", options_.config.state_dir.string()},
      {"uptime_s", duration_cast<std::chrono::seconds>(uptime).count()},
      {"topics", registry_.all().size()},
      {"sessions", sessions.entries()},
      {"exclusive", exclusive.entries()},
      {"copying", copying.entries()},
      {"memory",
       {{"used", registry_.memory_used()},
        {"limit", registry_.memory_limit()},
        {"being_made", registry_.missing_bytes()}}},
      {"disk",
       {{"free", disk.f_bavail * disk.f_frsize},
        {"total", disk.f_blocks * disk.f_frsize},
        {"keep_free", options_.config.keep_free.of(disk.f_blocks * disk.f_frsize)}}},
      {"killed", {{"producers", killed.producers}, {"consumers", killed.consumers}}},
      {"rings_held_by", keepsakes_.kind()},
      {"keeper", keepsakes_.pid()},
      {"without", without_},
      {"state", all.empty() ? "serving" : "degraded"},
      {"degraded", degraded.entries()},
      {"troubles", told.entries()},
      {"left_out", std::move(left_out)}};
}

}  // namespace ringway::daemon
