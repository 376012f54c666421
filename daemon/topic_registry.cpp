#include "daemon/topic_registry.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/disk_room.hpp"
#include "control/quantity.hpp"
#include "control/shell_word.hpp"
#include "control/topic_settings.hpp"
#include "daemon/ring_opening.hpp"
#include "log/recovery.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

/// How to mend what the supervisor tries again at each of its ticks.
constexpr std::string_view kTriedAgain = "mend that; it is tried again every second";

std::string directory_advice(int error_number) {
  const std::string advice = fix_of(error_number);
  if (!advice.empty()) return advice;
  return fmt::format("{}, or create the topic without a log (--no-persist)",
                     error_number == ENOSPC ? "make room there" : "mend that");
}

nlohmann::json meta_of(const Topic& topic, shm::MemoryKind kind) {
  return {{"kind", shm::to_string(kind)},
          {"topic", topic.row.name},
          {"access", control::to_json(topic.access)}};
}

/// As kTopicMemory has them.
std::array<int, std::size(kTopicMemory)> descriptors_of(const TopicMemory& memory) {
  return {memory.ring_fd(), memory.board_fd(), memory.bell_fd()};
}

}  // namespace

std::string memory_name(const shm::Uuid& topic, std::uint64_t generation, shm::MemoryKind kind) {
  return shm::to_string(shm::MemoryName::of_topic(kind, topic, generation));
}

std::filesystem::path TopicRegistry::directory(const shm::Uuid& uuid) const {
  return parts_.config.state_dir / kTopicsDirectory / shm::to_string(uuid);
}

/// The board says who serves, and is whole.
void TopicRegistry::begin_service(ServedTopic& served) const {
  auto& board = served.memory().board();
  board.supervisor = parts_.self;
  board.supervisor_epoch.store(parts_.epoch, std::memory_order::release);
  served.set_state(stopping_ ? layout::TopicState::stopping : layout::TopicState::serving);
  served.memory().publish();
}

/// A topic whose first record would find the disk full is not made.
void TopicRegistry::check_disk(const std::string& name) const {
  struct statvfs disk{};
  if (::statvfs(parts_.config.state_dir.c_str(), &disk) != 0) return;
  const std::uint64_t free = disk.f_bavail * disk.f_frsize;
  if (free >= control::kDiskFreeMin) return;
  throw Error(ErrorCode::limit, fmt::format("topic '{}'", name),
              fmt::format("needs at least {} of disk for its log, and {} are free at {}",
                          control::format_size(control::kDiskFreeMin), control::format_size(free),
                          parts_.config.state_dir.string()),
              directory_advice(ENOSPC));
}

void TopicRegistry::make_directory(const ServedTopic& topic, std::uint32_t partition) const {
  const std::string directory = topic.directory(partition).string();
  const int result = parts_.file_system.make_directories(directory);
  if (result == 0) return;
  throw system_error(-result, fmt::format("topic '{}'", topic.name()),
                     fmt::format("its directory {} cannot be made", directory),
                     directory_advice(-result));
}

control::TopicAccess TopicRegistry::access_of(const std::string& name,
                                              const TopicSettings& settings, std::uint32_t owner,
                                              bool strict) const {
  const auto accounts = control::Accounts::system();
  const auto configured = parts_.config.topics.find(name);
  const auto resolve = [&](std::vector<std::string> names,
                           std::vector<std::string> TopicRights::* more) {
    if (strict) control::resolve(names, accounts);  // a caller's mistake is the caller's to mend
    if (configured != parts_.config.topics.end()) {
      const auto& added = configured->second.*more;
      names.insert(names.end(), added.begin(), added.end());
    }
    control::AccessList list;
    for (const std::string& one : names) {
      try {
        const auto found = control::resolve({one}, accounts);
        list.users.insert(list.users.end(), found.users.begin(), found.users.end());
        list.groups.insert(list.groups.end(), found.groups.begin(), found.groups.end());
      } catch (const Error& error) {
        parts_.log.warning("account_unknown", {{"topic", name}, {"account", one}});
      }
    }
    return list;
  };
  return {.owner = owner,
          .readers = resolve(settings.readers, &TopicRights::readers),
          .writers = resolve(settings.writers, &TopicRights::writers),
          .admins = resolve(settings.admins, &TopicRights::admins)};
}

void TopicRegistry::resolve_rights() {
  for (const auto& [name, topic] : topics_) {
    if (topic->deleting || !topic->served) continue;
    topic->access = access_of(name, topic->settings, topic->access.owner, false);
    keep(*topic, *topic->served);  // the keeper knows them, too
  }
}

void TopicRegistry::set_access(Topic& topic, const TopicSettings& settings) {
  const std::string text = control::to_json(settings).dump();
  parts_.catalog.set_settings(topic.row.uuid, text);
  topic.row.settings = text;
  topic.settings = settings;
  if (topic.replacement) {  // what follows the ring has settings of its own, and keeps the others
    topic.replacement->settings.readers = settings.readers;
    topic.replacement->settings.writers = settings.writers;
    topic.replacement->settings.admins = settings.admins;
  }
  topic.access = access_of(topic.row.name, settings, topic.access.owner, false);
  if (topic.served) keep(topic, *topic.served);  // the keeper knows them, too
}

void TopicRegistry::keep(const Topic& topic, const ServedTopic& served) const {
  const auto fds = descriptors_of(served.memory());
  for (std::size_t i = 0; i < fds.size(); ++i) {
    parts_.keepsakes.put(memory_name(topic.row.uuid, served.generation(), kTopicMemory[i]),
                         meta_of(topic, kTopicMemory[i]), fds[i]);
  }
}

/// The same descriptors: a replaced keeper must get them.
void TopicRegistry::keep_on(const Topic& topic,
                            const std::map<std::string, KeptDescriptor>& kept) const {
  const auto fds = descriptors_of(topic.served->memory());
  for (std::size_t i = 0; i < fds.size(); ++i) {
    parts_.keepsakes.keep_on(
        kept.at(memory_name(topic.row.uuid, topic.row.generation, kTopicMemory[i])),
        meta_of(topic, kTopicMemory[i]), fds[i]);
  }
}

void TopicRegistry::drop(const shm::Uuid& topic, std::uint64_t generation) const noexcept {
  for (const shm::MemoryKind kind : kTopicMemory) {
    parts_.keepsakes.drop(memory_name(topic, generation, kind));
  }
}

bool TopicRegistry::await_creation(std::string_view name, const std::function<void()>& over) {
  const auto found = being_made_.find(name);
  if (found == being_made_.end()) return false;
  found->second.push_back(over);
  return true;
}

void TopicRegistry::create(const std::string& name, const TopicSettings& settings,
                           const control::Credentials& owner, Created done) {
  control::validate_topic_name(name);
  control::validate(settings);
  const auto found = topics_.find(name);
  if (found != topics_.end() && found->second->deleting) {
    throw Error(ErrorCode::busy, fmt::format("topic '{}'", name), "is being deleted",
                "try again when it is gone, or choose another name; ringway status says what "
                "stands in the way");
  }
  if (found != topics_.end()) {
    throw Error(ErrorCode::exists, fmt::format("topic '{}'", name), "exists already",
                "use it as it is, choose another name, or delete it first");
  }
  if (being_made_.contains(name)) {
    throw Error(ErrorCode::busy, fmt::format("topic '{}'", name), "is being made at this moment",
                "try again when it is there");
  }
  const std::size_t topics = topics_.size() + being_made_.size();
  if (topics >= parts_.config.topics_max) {
    throw Error(ErrorCode::limit, fmt::format("topic '{}'", name),
                fmt::format("there are {} topics already, the limit", topics),
                "delete topics, or raise limits.topics in the configuration");
  }
  check_budget(name, settings, parts_.config.handles_per_topic_max);
  if (settings.persist) check_disk(name);
  TopicRow row{.uuid = shm::random_uuid(),
               .name = name,
               .owner = owner.uid,
               .settings = control::to_json(settings).dump(),
               .generation = 1,
               .partitions = std::vector<PartitionRow>(settings.partitions)};
  const auto topic =
      std::make_shared<Topic>(Topic{.row = row,
                                    .settings = settings,
                                    .access = access_of(name, settings, owner.uid, true),
                                    .cursors = NamedCursors(row.uuid, settings.partitions, {})});
  being_made_.emplace(name, std::vector<std::function<void()>>{});
  make_memory({row.uuid, name, row.generation}, settings, parts_.config.handles_per_topic_max,
              [this, topic, done = std::move(done)](const MadeMemory& memory) {
                const auto awaited = being_made_.extract(topic->row.name);
                if (!awaited) return;  // it was given up
                std::exception_ptr refused;
                try {
                  finish_creation(topic, memory);
                } catch (...) {
                  refused = std::current_exception();
                }
                done(topic, refused);
                for (const auto& over : awaited.mapped()) over();
              });
}

void TopicRegistry::finish_creation(const std::shared_ptr<Topic>& topic, const MadeMemory& memory) {
  const TopicRow& row = topic->row;
  const TopicSettings& settings = topic->settings;
  topic->served = make_served({row.uuid, row.name, row.generation}, settings, memory());
  try {
    keep(*topic, *topic->served);
    parts_.catalog.add_topic(topic->row);
  } catch (...) {
    drop(row.uuid, row.generation);
    throw;
  }
  topics_.emplace(row.name, topic);
  try {
    if (settings.persist) {
      parts_.file_system.make_ahead(directory(row.uuid).string(), settings.partitions);
    }
    for (std::uint32_t p = 0; p < settings.partitions; ++p) {
      if (settings.persist) make_directory(*topic->served, p);
      open_partition(*topic->served, p, {0, 0}, {});
    }
    begin_service(*topic->served);
  } catch (...) {
    take_back(topic);
    throw;
  }
  parts_.flusher.add(topic->served);
  parts_.log.info("topic_created", {{"topic", row.name},
                                    {"uuid", shm::to_string(row.uuid)},
                                    {"partitions", settings.partitions},
                                    {"by_uid", row.owner}});
}

/// What the catalog has of a creation goes as a topic that is deleted does: what made the creation
/// fail may be in the way of that, too, and a row that nothing else knew of would keep the name.
void TopicRegistry::take_back(const std::shared_ptr<Topic>& topic) {
  topic->deleting = true;
  topic->served = nullptr;  // nobody has seen it
  drop(topic->row.uuid, topic->row.generation);
  finish_removal({topic, {}, ""});
}

void TopicRegistry::remove(const std::shared_ptr<Topic>& topic, std::function<void()> settled,
                           std::function<void()> done) {
  topic->deleting = true;
  auto finish = [this, topic, settled = std::move(settled), done = std::move(done)] {
    settled();
    finish_removal({topic, done, ""});
  };
  if (!topic->served) return parts_.post(finish);
  topic->served->set_state(layout::TopicState::deleted);
  topic->served->wake_everybody();
  parts_.flusher.remove(topic->served, [this, finish] { parts_.post(finish); });
}

void TopicRegistry::finish_removals() {
  for (Removal& removal : std::exchange(unfinished_, {})) finish_removal(std::move(removal));
}

std::vector<control::StatusTrouble> TopicRegistry::waiting() const {
  std::vector<control::StatusTrouble> all;
  for (const Removal& removal : unfinished_) {
    const std::string& name = removal.topic->row.name;
    all.push_back({.what = control::TroubleKind::topic_deletion_waits,
                   .topic = name,
                   .reason = removal.refused,
                   .text = fmt::format("topic '{}' is deleted, but stays in the catalog: {}; {}",
                                       name, removal.refused, kTriedAgain)});
  }
  for (const auto& [name, topic] : topics_) {
    if (!topic->replacement || topic->replacement->refused.empty()) continue;
    const std::string& refused = topic->replacement->refused;
    all.push_back({.what = control::TroubleKind::ring_replacement_waits,
                   .topic = name,
                   .reason = refused,
                   .text = fmt::format("topic '{}' waits for its next ring: {}; {}", name, refused,
                                       kTriedAgain)});
  }
  return all;
}

void TopicRegistry::finish_removal(Removal removal) {
  Topic& topic = *removal.topic;
  // One whose log could not be read; nobody asks for it any more.
  if (topic.replacement) give_up_replacement(topic, "it is being deleted", "");
  // Renamed before the row goes: what a crash leaves is then known to be rubbish.
  // Durably, too: without row a directory under its live name would stay for ever.
  const auto live = directory(topic.row.uuid);
  auto deleted = live;
  deleted += kDeletedSuffix;
  int result = parts_.file_system.rename(live.string(), deleted.string());
  // Not there: it has no log, or an earlier try came this far.
  if (result == 0 || result == -ENOENT) {
    result = parts_.file_system.sync_directory(live.parent_path().string());
  }
  try {
    if (result < 0 && result != -ENOENT) {
      throw system_error(-result, deleted.string(), "its log cannot be set aside there");
    }
    parts_.catalog.remove_topic(topic.row.uuid);
  } catch (const Error& error) {
    if (removal.refused != error.what()) {
      removal.refused = error.what();
      parts_.log.error("topic_deletion_waits",
                       {{"topic", topic.row.name}, {"why", removal.refused}});
    }
    unfinished_.push_back(std::move(removal));  // nobody can use it any more: tried until it works
    return;
  }
  // What was held for a later start, too: its ring, and one that was to follow it.
  for (const std::uint64_t generation : {topic.row.generation, topic.row.generation + 1}) {
    for (const shm::MemoryKind kind : kTopicMemory) {
      parts_.keepsakes.hold_no_longer(memory_name(topic.row.uuid, generation, kind));
    }
  }
  drop(topic.row.uuid, topic.row.generation);
  topics_.erase(topic.row.name);
  std::error_code refused;
  std::filesystem::remove_all(deleted, refused);
  if (refused) {
    parts_.log.warning("files_not_removed", {{"directory", deleted.string()},
                                             {"error", refused.message()},
                                             {"effect", "the next start tries again"}});
  }
  // Of a creation that is taken back at once only who asked for it is told.
  if (removal.done || !removal.refused.empty()) {
    parts_.log.info("topic_deleted", {{"topic", topic.row.name}});
  }
  if (removal.done) removal.done();
}

std::shared_ptr<Topic> TopicRegistry::get(std::string_view name) const {
  const auto found = topics_.find(name);
  if (found != topics_.end() && !found->second->deleting) return found->second;
  const bool sound = name.size() <= layout::kTopicNameBytesMax;
  throw Error(ErrorCode::not_found, fmt::format("topic '{}'", sound ? name : "(too long)"),
              "does not exist",
              sound ? "create it with: " + control::typed("ringway topic create", {name}) : "");
}

std::shared_ptr<Topic> TopicRegistry::get(const shm::Uuid& uuid) const {
  for (const auto& [name, topic] : topics_) {
    if (topic->row.uuid == uuid && !topic->deleting) return topic;
  }
  throw Error(ErrorCode::not_found, fmt::format("topic with UUID {}", shm::to_string(uuid)),
              "does not exist", "it may have been deleted; open it by name");
}

void TopicRegistry::serve() {
  for (const auto& [name, topic] : topics_) {
    if (!topic->served) continue;
    begin_service(*topic->served);
    parts_.flusher.add(topic->served);
    topic->served->wake_everybody();
  }
}

void TopicRegistry::announce_stop() {
  stopping_ = true;
  maker_->stop();
  being_made_.clear();  // nobody is there any more to be answered
  for (const auto& [name, topic] : topics_) {
    if (topic->replacement && !topic->replacement->served) {
      give_up_replacement(*topic, "the bus is stopping", "try again when it serves");
    }
    if (!topic->served) continue;
    topic->served->set_state(layout::TopicState::stopping);
    topic->served->wake_everybody();
  }
}

bool TopicRegistry::mark_clean() {
  std::vector<TopicRow> rows;
  bool all = true;
  for (const auto& [name, topic] : topics_) {
    if (topic->deleting) continue;  // nobody wants what its ring holds
    if (!topic->served) {
      // Nobody has drained what its living ring holds.
      const bool held = parts_.keepsakes.holds(
          memory_name(topic->row.uuid, topic->row.generation, shm::MemoryKind::ring));
      if (held) parts_.log.warning("not_drained", {{"topic", name}, {"why", "it is not served"}});
      all = all && !held;
      continue;
    }
    bool clean = true;
    for (std::uint32_t p = 0; p < topic->settings.partitions; ++p) {
      const ring::PartitionView view = topic->served->view(p);
      const layout::BoardPartition& board = view.board();
      // Relaxed: the drain's answer came through a queue.
      const std::uint64_t offset = board.committed_offset.load(std::memory_order::relaxed);
      const std::uint64_t position = board.committed_position.load(std::memory_order::relaxed);
      const layout::Tail tail = view.codec().unpack(view.tail().load(std::memory_order::acquire));
      // Nobody reads on in a ring in quarantine: the next one begins as if it had been lost.
      const bool quarantined = board.hold.load(std::memory_order::relaxed) ==
                               static_cast<std::uint32_t>(layout::Hold::quarantined);
      const bool drained = (quarantined || (tail.closed && tail.position == position)) &&
                           (!topic->settings.persist ||
                            board.durable_offset.load(std::memory_order::relaxed) == offset);
      clean = clean && drained;
      const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
      PartitionRow& row = topic->row.partitions[p];
      row.clean = !quarantined;
      row.clean_offset = offset;
      row.clean_position = base + position;
    }
    all = all && clean;
    if (clean) {
      rows.push_back(topic->row);
    } else {
      parts_.log.warning("not_drained",
                         {{"topic", name}, {"why", "its records are not all durable"}});
    }
  }
  // Each for itself: should the keeper not outlive this, the others go on where they ended.
  parts_.catalog.mark_clean(rows);
  return all;
}

}  // namespace ringway::daemon
