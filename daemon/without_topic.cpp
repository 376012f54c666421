#include "daemon/without_topic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "control/quantity.hpp"
#include "daemon/topic_registry.hpp"
#include "layout/board.hpp"
#include "log/segment_name.hpp"
#include "ringway/error.hpp"
#include "shm/memory_file.hpp"
#include "shm/memory_name.hpp"
#include "shm/region.hpp"

namespace ringway::daemon {
namespace {

namespace fs = std::filesystem;

std::map<shm::Uuid, std::uint64_t> generations(std::span<const TopicRow> rows) {
  std::map<shm::Uuid, std::uint64_t> known;
  for (const TopicRow& row : rows) known.emplace(row.uuid, row.generation);
  return known;
}

/// The name of the topic whose ring it is, where clients could have that: not before its board was
/// whole, and not where it says that it is over.
std::optional<std::string> topic_in_use(int board_fd) {
  try {
    const std::uint64_t bytes = shm::verified_memory_bytes(board_fd, "board");
    const shm::Region region(board_fd, shm::Access::read_only, 0, bytes);
    const auto& board = region.at<const layout::BoardHeader>(0);
    if (board.magic.load(std::memory_order::acquire) != layout::kBoardMagic) return std::nullopt;
    // Relaxed: who wrote it is dead.
    const std::uint32_t state = board.state.load(std::memory_order::relaxed);
    for (const auto over : {layout::TopicState::deleted, layout::TopicState::replaced}) {
      if (state == static_cast<std::uint32_t>(over)) return std::nullopt;
    }
    return std::string(board.name, std::min<std::size_t>(board.name_bytes, sizeof board.name));
  } catch (const Error&) {
    return std::nullopt;  // no board, whatever its name says
  }
}

/// Also one that cannot be looked into.
bool holds_files(const fs::path& directory) {
  std::error_code refused;
  for (fs::recursive_directory_iterator at(directory, refused), end; !refused && at != end;
       at.increment(refused)) {
    const auto segment = log::parse_segment_name(at->path().filename().string());
    const bool unborn = segment && segment->kind == log::SegmentName::Kind::unborn;
    if (!unborn && !fs::is_directory(at->symlink_status(refused))) return true;
  }
  return static_cast<bool>(refused);
}

}  // namespace

std::vector<RingWithoutTopic> rings_without_topic(const std::map<std::string, KeptDescriptor>& kept,
                                                  std::span<const TopicRow> rows) {
  std::vector<RingWithoutTopic> rings;
  const auto known = generations(rows);
  for (const auto& [text, one] : kept) {
    const auto name = shm::parse_memory_name(text);
    if (!name || name->kind != shm::MemoryKind::board) continue;
    if (const auto row = known.find(name->topic); row != known.end()) {
      const bool newer = name->number > row->second;
      // One that was to follow it, or that it follows.
      if (!newer || kept.contains(memory_name(row->first, row->second, name->kind))) continue;
    }
    if (auto topic = topic_in_use(one.descriptor.get())) {
      rings.push_back({std::move(*topic), name->topic, name->number});
    }
  }
  return rings;
}

std::vector<fs::path> logs_without_topic(const fs::path& topics, std::span<const TopicRow> rows) {
  std::vector<fs::path> logs;
  const auto known = generations(rows);
  std::error_code refused;
  for (fs::directory_iterator at(topics, refused), end; !refused && at != end;
       at.increment(refused)) {
    const auto uuid = shm::parse_uuid(at->path().filename().string());
    if (uuid && !known.contains(*uuid) && holds_files(at->path())) logs.push_back(at->path());
  }
  std::ranges::sort(logs);
  return logs;
}

void demand_nothing_left(const fs::path& catalog, const fs::path& topics,
                         const std::map<std::string, KeptDescriptor>& kept, int holder) {
  std::error_code refused;
  const fs::directory_iterator look(topics, refused);
  const bool absent =
      refused == std::errc::no_such_file_or_directory && !fs::is_symlink(topics);
  if (refused && !absent) {
    const std::string fix = fix_of(refused.value());
    throw system_error(refused.value(), topics.string(),
                       "there is no catalog, and whether logs are left cannot be seen",
                       "nothing was changed; " +
                           (fix.empty() ? "restore both, or make it readable" : fix));
  }
  const auto logs = logs_without_topic(topics, {});
  const auto rings = rings_without_topic(kept, {});
  if (logs.empty() && rings.empty()) return;
  std::string left, without;
  if (!logs.empty()) {
    left = fmt::format("the logs of {} are left in {}", control::counted(logs.size(), "topic"),
                       topics.string());
    without = fmt::format("move {} aside", topics.string());
  }
  if (!rings.empty()) {
    const std::string who = holder != 0 ? fmt::format("pid {}", holder) : "the service manager";
    left += fmt::format("{}{} holds the living rings of {} ('{}')",
                        left.empty() ? "" : ", and ", who, control::counted(rings.size(), "topic"),
                        rings.front().topic);
    without += fmt::format("{}{}, which lets go of the rings", without.empty() ? "" : " and ",
                           holder != 0 ? "end " + who : "stop the service and its socket");
  }
  throw Error(ErrorCode::failed, catalog.string(),
              fmt::format("there is no catalog, but {}", left),
              fmt::format("nothing was changed; restore the file from a backup, with no {}-wal and "
                          "-shm beside it, or {} to start without any topic",
                          catalog.filename().string(), without));
}

}  // namespace ringway::daemon
