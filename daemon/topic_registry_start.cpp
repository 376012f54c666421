// The start of a supervisor: every topic of the catalog gets its living ring back, or a new one.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "control/topic_settings.hpp"
#include "daemon/log_recoveries.hpp"
#include "daemon/ring_opening.hpp"
#include "daemon/ring_start.hpp"
#include "daemon/session.hpp"
#include "daemon/slot_runs.hpp"
#include "daemon/topic_registry.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

bool is_kept(const Topic& topic, const std::map<std::string, KeptDescriptor>& kept) {
  return std::ranges::any_of(kTopicMemory, [&](shm::MemoryKind kind) {
    return kept.contains(memory_name(topic.row.uuid, topic.row.generation, kind));
  });
}

void forget_kept(const Topic& topic, std::map<std::string, KeptDescriptor>& kept) {
  for (const shm::MemoryKind kind : kTopicMemory) {
    kept.erase(memory_name(topic.row.uuid, topic.row.generation, kind));
  }
}

/// Whose intents and pins nobody can see: its claims would stay open for ever, or be passed, and
/// what it holds would be overwritten. 0: nobody. Keeper and supervisor may both have died, the
/// latter when it had given the next keeper only a part.
std::uint32_t pid_without_slots(const ServedTopic& topic,
                                const std::map<std::string, KeptDescriptor>& kept) {
  std::map<std::string, SlotRuns> runs;
  for (const layout::Attachment& entry : topic.memory().attachments()) {
    if (entry.state.load(std::memory_order::acquire) == layout::kFree) continue;
    const auto name = shm::to_string(shm::MemoryName::of_session(entry.session, entry.chunk));
    const auto found = kept.find(name);
    if (found == kept.end()) return entry.process.pid;
    const std::uint32_t slots = Chunk::slots_in(found->second.descriptor.get(), name);
    const auto chunk = runs.try_emplace(name, slots).first;
    if (!chunk->second.take_at(entry.first_slot, topic.partitions())) return entry.process.pid;
  }
  return 0;
}

}  // namespace

std::vector<log::Recovered> TopicRegistry::recover(Topic& topic, const ServedTopic& served,
                                                   log::RecoverMode mode) const {
  if (!topic.settings.persist) return std::vector<log::Recovered>(served.partitions());
  std::vector<LogRecovery> recoveries;
  add_recoveries(served, recoveries);
  recover_logs(recoveries, parts_.file_system, mode);
  return report(topic, served, recoveries);
}

/// What was found, also to people. Throws what the recovery of one of them threw.
std::vector<log::Recovered> TopicRegistry::report(Topic& topic, const ServedTopic& served,
                                                  std::span<LogRecovery> recoveries) const {
  std::vector<log::Recovered> logs;
  for (LogRecovery& recovery : recoveries) {
    if (recovery.failed) std::rethrow_exception(recovery.failed);
    logs.push_back(std::move(recovery.found));
  }
  for (std::uint32_t p = 0; p < logs.size(); ++p) {
    report_recovery(served, p, logs[p], parts_.log, topic.damage);
  }
  return logs;
}

/// The catalog says how far the log was drained: what its files lack of that is noted as missing,
/// and the log goes on behind it. The header of its next segment then says so, too.
void TopicRegistry::note_missing_tail(Topic& topic, const ServedTopic& served,
                                      std::uint32_t partition, const PartitionRow& row,
                                      log::Recovered& recovered) const {
  if (!topic.settings.persist || !row.clean || row.clean_offset <= row.base_offset) return;
  const log::LogPoint end{row.clean_position, row.clean_offset};
  const auto missing = recovered.missing_behind_end(end);
  if (!missing) return;
  topic.damage.note_missing(parts_.log, served, partition, *missing);
  recovered.end = recovered.durable = end;
}

bool TopicRegistry::adopt(Topic& topic, const std::map<std::string, KeptDescriptor>& kept) const {
  shm::Descriptor memory[std::size(kTopicMemory)];
  for (std::size_t i = 0; i < std::size(kTopicMemory); ++i) {
    const auto found =
        kept.find(memory_name(topic.row.uuid, topic.row.generation, kTopicMemory[i]));
    if (found == kept.end()) return false;
    memory[i] = shm::duplicate(found->second.descriptor.get());
  }
  const TopicIdentity identity{topic.row.uuid, topic.row.name, topic.row.generation};
  try {
    topic.served = make_served(identity, topic.settings,
                               TopicMemory::adopt(identity, topic.settings, std::move(memory[0]),
                                                  std::move(memory[1]), std::move(memory[2])));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::incompatible) throw;
    parts_.log.warning("kept_memory_dropped", {{"topic", topic.row.name}, {"why", error.what()}});
    return false;
  }
  if (const std::uint32_t pid = pid_without_slots(*topic.served, kept)) {
    parts_.log.warning("kept_memory_dropped",
                       {{"topic", topic.row.name},
                        {"why", fmt::format("the session memory of pid {} is gone", pid)}});
    topic.served = nullptr;
    return false;
  }
  topic.served->adopted = true;
  return true;
}

/// In the ring that was adopted, from what its logs hold.
void TopicRegistry::go_on(Topic& topic, std::span<LogRecovery> recoveries) const {
  forget_clean_end(topic);
  const std::vector<log::Recovered> logs = report(topic, *topic.served, recoveries);
  for (std::uint32_t p = 0; p < logs.size(); ++p) {
    const auto missing = reopen_partition(*topic.served, p, logs[p], parts_.log);
    if (missing) topic.damage.note_missing(parts_.log, *topic.served, p, *missing);
  }
}

/// The supervisor may have noted the end of an orderly stop and then not got as far as the keeper.
/// What goes on in the adopted ring lies behind that end, and must not be counted from it when it
/// is lost.
void TopicRegistry::forget_clean_end(Topic& topic) const {
  bool noted = false;
  for (PartitionRow& row : topic.row.partitions) noted = std::exchange(row.clean, false) || noted;
  // Durable before the ring takes anything.
  if (noted) parts_.catalog.begin_ring(topic.row);
}

void TopicRegistry::begin_ring(Topic& topic) {
  ++topic.row.generation;
  const TopicIdentity identity{topic.row.uuid, topic.row.name, topic.row.generation};
  topic.served = make_served(
      identity, topic.settings,
      TopicMemory::create(identity, topic.settings, parts_.config.handles_per_topic_max));
  keep(topic, *topic.served);
  std::vector<log::Recovered> logs = recover(topic, *topic.served, log::RecoverMode::repair);
  for (std::uint32_t p = 0; p < topic.settings.partitions; ++p) {
    PartitionRow& row = topic.row.partitions[p];
    log::Recovered& recovered = logs[p];
    // The mark of an older catalog: its ring was not the last.
    if (recovered.end.offset > row.clean_offset) row.clean = false;
    note_missing_tail(topic, *topic.served, p, row, recovered);
    std::optional<log::LogPoint> floor;
    if (topic.settings.persist) {
      floor = recovered.floor;
      // Named cursors may know of offsets whose files are gone.
      floor->offset = std::max(floor->offset, topic.cursors.highest(p));
    }
    const log::LogPoint start = ring_start(topic.settings, row, floor);
    open_partition(*topic.served, p, start, recovered);
    if (!row.clean) {
      parts_.log.warning("ring_was_lost", {{"topic", topic.row.name},
                                           {"partition", p},
                                           {"log_end", recovered.end.offset},
                                           {"goes_on_at", start.offset}});
    }
    row = {.base_offset = start.offset, .base_position = start.position};
  }
  // Durable before anybody can get an offset of the new ring.
  parts_.catalog.begin_ring(topic.row);
}

bool TopicRegistry::load(std::map<std::string, KeptDescriptor>& kept) {
  bool left_out = false;
  const auto attempt = [&](Topic& topic, auto&& step) {
    try {
      step();
    } catch (const std::exception& error) {
      keep_out(topic, kept, error.what());
      left_out = left_out || is_kept(topic, kept);
    }
  };
  struct Adopted {
    Topic& topic;
    std::size_t begin, end;  ///< of `logs`
  };
  std::vector<Adopted> adopted;
  std::vector<LogRecovery> logs;
  remove_leftovers();
  for (TopicRow& row : parts_.catalog.topics()) {
    TopicSettings settings;
    std::string fault;
    try {
      settings = control::topic_settings_from_json(nlohmann::json::parse(row.settings));
      control::validate(settings);
    } catch (const std::exception& error) {
      fault = fmt::format("its settings in the catalog cannot be used: {}", error.what());
      settings = {};  // nothing may be sized by them
    }
    row.partitions.resize(settings.partitions);
    const auto topic = std::make_shared<Topic>(Topic{
        .row = row,
        .settings = settings,
        .access = access_of(row.name, settings, row.owner, false),
        .cursors = NamedCursors(row.uuid, settings.partitions, parts_.catalog.cursors(row.uuid)),
        .served = {},
        .fault = fault});
    topics_.emplace(row.name, topic);
    attempt(*topic, [&] {
      if (!fault.empty()) throw std::runtime_error(fault);
      undo_deletion(*topic);
      if (adopt(*topic, kept)) {
        const std::size_t begin = logs.size();
        if (settings.persist) add_recoveries(*topic->served, logs);
        adopted.push_back({*topic, begin, logs.size()});
      } else {
        check_budget(row.name, settings, parts_.config.handles_per_topic_max);
        // Of an older catalog: clients may have mapped a ring of the number that would be next.
        for (const auto& [text, one] : kept) {
          const auto name = shm::parse_memory_name(text);
          if (!name || name->topic != topic->row.uuid) continue;
          topic->row.generation = std::max(topic->row.generation, name->number);
        }
        begin_ring(*topic);
        forget_kept(*topic, kept);
      }
    });
  }
  // Of all topics at once.
  recover_logs(logs, parts_.file_system, log::RecoverMode::adopt);
  for (const Adopted& one : adopted) {
    Topic& topic = one.topic;
    attempt(topic, [&] {
      go_on(topic, std::span(logs).subspan(one.begin, one.end - one.begin));
      keep_on(topic, kept);
      parts_.log.info("ring_adopted",
                      {{"topic", topic.row.name}, {"generation", topic.row.generation}});
      forget_kept(topic, kept);
    });
  }
  return left_out;
}

/// Nothing is thrown away because it cannot be used.
void TopicRegistry::keep_out(Topic& topic, const std::map<std::string, KeptDescriptor>& kept,
                             const std::string& why) const {
  topic.served = nullptr;
  topic.fault = why;
  // The keeper may have been given a new ring, which is closed by now.
  if (!is_kept(topic, kept)) drop(topic.row.uuid, topic.row.generation);
  parts_.log.error("topic_not_served", {{"topic", topic.row.name}, {"why", why}});
}

void TopicRegistry::remove_leftovers() const {
  std::error_code ignored;
  std::vector<std::filesystem::path> deleted;
  for (const auto& entry :
       std::filesystem::directory_iterator(parts_.config.state_dir / kTopicsDirectory, ignored)) {
    if (entry.path().string().ends_with(kDeletedSuffix)) deleted.push_back(entry.path());
  }
  const std::vector<TopicRow> rows = parts_.catalog.topics();
  for (const auto& path : deleted) {
    const std::string uuid = path.stem().string();
    const bool has_row = std::ranges::any_of(
        rows, [&](const TopicRow& row) { return shm::to_string(row.uuid) == uuid; });
    if (!has_row) std::filesystem::remove_all(path, ignored);
  }
}

/// One that never came as far as the catalog never happened. Without the files that it had set
/// aside the topic would be served as if nothing had ever been written.
void TopicRegistry::undo_deletion(const Topic& topic) const {
  const std::string live = directory(topic.row.uuid).string();
  const std::string deleted = live + std::string(kDeletedSuffix);
  const int result = parts_.file_system.rename(deleted, live);
  if (result == 0 || result == -ENOENT) return;
  throw system_error(-result, deleted, fmt::format("it cannot be renamed to {}", live));
}

}  // namespace ringway::daemon
