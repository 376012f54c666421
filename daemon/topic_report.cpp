#include "daemon/topic_report.hpp"

#include <fmt/format.h>

#include "control/topic_settings.hpp"

namespace ringway::daemon {

std::string partition_state(const Topic& topic, std::uint32_t partition) {
  const layout::BoardPartition& board = topic.served->view(partition).board();
  // Relaxed, here and below: numbers for people, each true for itself.
  const auto hold = static_cast<layout::Hold>(board.hold.load(std::memory_order::relaxed));
  const std::uint32_t pid = board.hold_pid.load(std::memory_order::relaxed);
  return pid == 0 ? std::string(to_string(hold))
                  : fmt::format("{} by pid {}", to_string(hold), pid);
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
  auto partitions = nlohmann::json::array();
  for (std::uint32_t p = 0; topic.served && p < topic.settings.partitions; ++p) {
    const layout::BoardPartition& board = topic.served->view(p).board();
    const auto value = [](const std::atomic<std::uint64_t>& word) {
      return word.load(std::memory_order::relaxed);
    };
    partitions.push_back({{"partition", p},
                          {"first_offset", value(board.first_offset)},
                          {"committed", value(board.committed_offset)},
                          {"written", value(board.written_offset)},
                          {"durable", value(board.durable_offset)},
                          {"ring_bytes", topic.settings.ring_bytes},
                          {"log_bytes", value(board.log_bytes)},
                          {"state", partition_state(topic, p)}});
  }
  nlohmann::json report{{"topic", topic.row.name},
                        {"uuid", shm::to_string(topic.row.uuid)},
                        {"owner", topic.row.owner},
                        {"generation", topic.row.generation},
                        {"partitions", std::move(partitions)},
                        {"settings", control::to_json(topic.settings)}};
  if (const auto pid = exclusive_pid(topic)) report["exclusive_pid"] = *pid;
  if (!topic.served) report["fault"] = topic.fault;
  return report;
}

}  // namespace ringway::daemon
