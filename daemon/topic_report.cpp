#include "daemon/topic_report.hpp"

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/hold_cause.hpp"
#include "daemon/partition_runs.hpp"

namespace ringway::daemon {

namespace {

using control::StatusTrouble;

/// Why partitions do not move, and by whom; in the order of their words.
using Cause = std::pair<std::string_view, std::uint32_t>;

std::string text_of(const Cause& cause) {
  const auto& [hold, pid] = cause;
  return pid == 0 ? std::string(hold) : fmt::format("{} by pid {}", hold, pid);
}

StatusTrouble trouble_of(const Topic& topic, const Cause& cause,
                         const std::vector<std::uint32_t>& partitions) {
  PartitionRuns runs;
  for (const std::uint32_t p : partitions) runs.add(p);
  return {.what = control::trouble_kind_of(cause.first),
          .topic = topic.row.name,
          .partitions = partitions,
          .partition_count = static_cast<std::uint32_t>(partitions.size()),
          .pid = cause.second,
          .text = fmt::format("topic '{}' {}: {}", topic.row.name, runs.text(), text_of(cause))};
}

}  // namespace

std::vector<StatusTrouble> held_partitions(const Topic& topic) {
  std::map<Cause, std::vector<std::uint32_t>> by_cause;
  for (std::uint32_t p = 0; p < topic.settings.partitions; ++p) {
    const auto cause = hold_cause(topic.served->view(p).board());
    if (cause) by_cause[{to_string(cause->hold), cause->pid}].push_back(p);
  }
  std::vector<StatusTrouble> troubles;
  for (const auto& [cause, partitions] : by_cause) {
    troubles.push_back(trouble_of(topic, cause, partitions));
  }
  return troubles;
}

std::optional<std::uint32_t> exclusive_pid(const Topic& topic) {
  const auto owner = topic.producers.owner();
  if (!owner) return std::nullopt;
  return topic.producers.all().at(*owner).pid;
}

std::set<std::uint32_t> copying_pids(const Topic& topic) {
  std::set<std::uint32_t> pids;
  for (const layout::Attachment& entry : topic.served->memory().attachments()) {
    // Relaxed: only this thread writes them.
    if (entry.state.load(std::memory_order::relaxed) == layout::kOpen &&
        (entry.flags.load(std::memory_order::relaxed) & layout::kCopies) != 0) {
      pids.insert(entry.process.pid);
    }
  }
  return pids;
}

nlohmann::json describe(const Topic& topic) {
  nlohmann::json report{{"owner", topic.row.owner}, {"generation", topic.row.generation}};
  if (const auto pid = exclusive_pid(topic)) report["exclusive_pid"] = *pid;
  if (!topic.served) report["fault"] = topic.fault;
  return report;
}

}  // namespace ringway::daemon
