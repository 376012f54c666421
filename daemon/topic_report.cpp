#include "daemon/topic_report.hpp"

#include <fmt/format.h>

#include <map>

#include "daemon/partition_runs.hpp"

namespace ringway::daemon {

namespace {

std::string state_text(layout::Hold hold, std::uint32_t pid) {
  return pid == 0 ? std::string(to_string(hold))
                  : fmt::format("{} by pid {}", to_string(hold), pid);
}

}  // namespace

std::vector<std::string> held_partitions(const Topic& topic) {
  std::map<std::string, PartitionRuns> by_state;
  for (std::uint32_t p = 0; p < topic.settings.partitions; ++p) {
    const layout::BoardPartition& board = topic.served->view(p).board();
    // Relaxed: numbers for people, each true for itself.
    const auto hold = static_cast<layout::Hold>(board.hold.load(std::memory_order::relaxed));
    if (!layout::needs_attention(hold)) continue;
    by_state[state_text(hold, board.hold_pid.load(std::memory_order::relaxed))].add(p);
  }
  std::vector<std::string> lines;
  for (const auto& [state, partitions] : by_state) {
    lines.push_back(fmt::format("topic '{}' {}: {}", topic.row.name, partitions.text(), state));
  }
  return lines;
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
