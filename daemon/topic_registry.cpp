#include "daemon/topic_registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ranges>

#include "control/quantity.hpp"
#include "control/topic_settings.hpp"
#include "daemon/ring_opening.hpp"
#include "daemon/ring_start.hpp"
#include "log/recovery.hpp"
#include "ringway/error.hpp"
#include "shm/memory_name.hpp"
#include "shm/park.hpp"

namespace ringway::daemon {
namespace {

constexpr shm::MemoryKind kTopicMemory[] = {shm::MemoryKind::ring, shm::MemoryKind::board,
                                            shm::MemoryKind::bell};
/// A deleted topic's directory until all of it is gone.
constexpr std::string_view kDeletedSuffix = ".deleted";

std::string memory_name(const Topic& topic, shm::MemoryKind kind) {
  return shm::to_string(shm::MemoryName::of_topic(kind, topic.row.uuid, topic.row.generation));
}

/// Everybody who sleeps on the topic looks again.
void wake_everybody(const ServedTopic& topic) {
  for (std::uint32_t p = 0; p < topic.partitions(); ++p) {
    auto& progress = topic.view(p).board().progress;
    progress.fetch_add(1, std::memory_order::release);
    shm::wake_all(progress);
  }
  auto& bell = topic.memory().ring().bell_seq;
  bell.fetch_add(1, std::memory_order::release);
  shm::wake_all(bell);
}

void set_state(const ServedTopic& topic, layout::TopicState state) {
  topic.memory().board().state.store(static_cast<std::uint32_t>(state), std::memory_order::release);
}

/// Takes back, in reverse, what was done, unless everything was.
class Undo {
 public:
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    for (auto& step : steps_ | std::views::reverse) step();
  }
  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void keep_everything() noexcept { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace

std::filesystem::path TopicRegistry::directory(const shm::Uuid& uuid) const {
  return parts_.config.state_dir / "topics" / shm::to_string(uuid);
}

std::shared_ptr<ServedTopic> TopicRegistry::make_served(const Topic& topic,
                                                        TopicMemory memory) const {
  return std::make_shared<ServedTopic>(
      ServedTopic::Options{.identity = {topic.row.uuid, topic.row.name, topic.row.generation},
                           .settings = topic.settings,
                           .epoch = parts_.epoch,
                           .directory = topic.settings.persist ? directory(topic.row.uuid) : ""},
      std::move(memory));
}

std::uint64_t TopicRegistry::memory_used() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [name, topic] : topics_) {
    if (topic->served) sum += topic->served->memory().bytes();
  }
  return sum;
}

void TopicRegistry::check_budget(const std::string& name, const TopicSettings& settings) const {
  const std::uint64_t used = memory_used();
  const std::uint64_t wanted = TopicMemory::bytes(settings, parts_.config.handles_per_topic_max);
  if (wanted <= memory_limit_ && used <= memory_limit_ - wanted) return;
  throw Error(ErrorCode::limit, fmt::format("topic '{}'", name),
              fmt::format("needs {} of shared memory; with the {} in use that makes {}, and the "
                          "limit is {}",
                          control::format_size(wanted), control::format_size(used),
                          control::format_size(wanted + used), control::format_size(memory_limit_)),
              "choose a smaller --ring or fewer --partitions, or raise limits.memory in the "
              "configuration");
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

void TopicRegistry::keep(const Topic& topic) const {
  const TopicMemory& memory = topic.served->memory();
  const int fds[] = {memory.ring_fd(), memory.board_fd(), memory.bell_fd()};
  for (std::size_t i = 0; i < std::size(kTopicMemory); ++i) {
    parts_.keepsakes.put(memory_name(topic, kTopicMemory[i]),
                         {{"kind", shm::to_string(kTopicMemory[i])},
                          {"topic", topic.row.name},
                          {"access", control::to_json(topic.access)}},
                         fds[i]);
  }
}

void TopicRegistry::drop(const Topic& topic) const noexcept {
  for (const shm::MemoryKind kind : kTopicMemory) parts_.keepsakes.drop(memory_name(topic, kind));
}

std::shared_ptr<Topic> TopicRegistry::create(const std::string& name, const TopicSettings& settings,
                                             const control::Credentials& owner) {
  control::validate_topic_name(name);
  control::validate(settings);
  if (topics_.contains(name)) {
    throw Error(ErrorCode::exists, fmt::format("topic '{}'", name), "exists already", "");
  }
  if (topics_.size() >= parts_.config.topics_max) {
    throw Error(ErrorCode::limit, fmt::format("topic '{}'", name),
                fmt::format("there are {} topics already, the limit", topics_.size()),
                "delete topics, or raise limits.topics in the configuration");
  }
  check_budget(name, settings);
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
  const TopicIdentity identity{row.uuid, name, row.generation};
  Undo undo;
  topic->served = make_served(
      *topic, TopicMemory::create(identity, settings, parts_.config.handles_per_topic_max));
  undo.add([&] { drop(*topic); });
  keep(*topic);
  parts_.catalog.add_topic(topic->row);
  undo.add([&] { parts_.catalog.remove_topic(row.uuid); });
  undo.add([&] {
    std::error_code ignored;
    std::filesystem::remove_all(directory(row.uuid), ignored);
  });
  for (std::uint32_t p = 0; p < settings.partitions; ++p) {
    log::Recovered nothing;
    if (settings.persist) nothing = recover_log(*topic->served, p, parts_.file_system, parts_.log);
    open_partition(*topic->served, p, {0, 0}, nothing);
  }
  auto& board = topic->served->memory().board();
  board.supervisor = parts_.self;
  board.supervisor_epoch.store(parts_.epoch, std::memory_order::relaxed);  // the magic carries it
  set_state(*topic->served, layout::TopicState::serving);
  topic->served->memory().publish();
  undo.keep_everything();
  topics_.emplace(name, topic);
  parts_.flusher.add(topic->served);
  parts_.log.info("topic_created", {{"topic", name},
                                    {"uuid", shm::to_string(row.uuid)},
                                    {"partitions", settings.partitions},
                                    {"by_uid", owner.uid}});
  return topic;
}

void TopicRegistry::remove(const std::shared_ptr<Topic>& topic, std::function<void()> settled,
                           std::function<void()> done) {
  topic->deleting = true;
  auto finish = [this, topic, settled = std::move(settled), done = std::move(done)] {
    settled();
    // Renamed before the row goes: what a crash leaves is then known to be rubbish.
    const auto live = directory(topic->row.uuid);
    auto deleted = live;
    deleted += kDeletedSuffix;
    std::error_code ignored;
    std::filesystem::rename(live, deleted, ignored);
    parts_.catalog.remove_topic(topic->row.uuid);
    drop(*topic);
    topics_.erase(topic->row.name);
    std::filesystem::remove_all(deleted, ignored);
    parts_.log.info("topic_deleted", {{"topic", topic->row.name}});
    done();
  };
  if (!topic->served) return finish();
  set_state(*topic->served, layout::TopicState::deleted);
  wake_everybody(*topic->served);
  parts_.flusher.remove(topic->served, [this, finish] { parts_.post(finish); });
}

std::shared_ptr<Topic> TopicRegistry::get(std::string_view name) const {
  const auto found = topics_.find(name);
  if (found != topics_.end() && !found->second->deleting) return found->second;
  const bool sound = name.size() <= layout::kTopicNameBytesMax;
  throw Error(ErrorCode::not_found, fmt::format("topic '{}'", sound ? name : "(too long)"),
              "does not exist",
              sound ? fmt::format("create it with: ringway topic create {}", name) : "");
}

std::shared_ptr<Topic> TopicRegistry::get(const shm::Uuid& uuid) const {
  for (const auto& [name, topic] : topics_) {
    if (topic->row.uuid == uuid && !topic->deleting) return topic;
  }
  throw Error(ErrorCode::not_found, fmt::format("topic with UUID {}", shm::to_string(uuid)),
              "does not exist", "it may have been deleted; open it by name");
}

bool TopicRegistry::adopt(Topic& topic, std::map<std::string, KeptDescriptor>& kept) {
  shm::Descriptor memory[std::size(kTopicMemory)];
  for (std::size_t i = 0; i < std::size(kTopicMemory); ++i) {
    const auto found = kept.find(memory_name(topic, kTopicMemory[i]));
    if (found == kept.end()) return false;
    memory[i] = shm::duplicate(found->second.descriptor.get());
  }
  const TopicIdentity identity{topic.row.uuid, topic.row.name, topic.row.generation};
  try {
    topic.served =
        make_served(topic, TopicMemory::adopt(identity, topic.settings, std::move(memory[0]),
                                              std::move(memory[1]), std::move(memory[2])));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::incompatible) throw;
    parts_.log.warning("kept_memory_dropped", {{"topic", topic.row.name}, {"why", error.what()}});
    return false;
  }
  topic.served->adopted = true;
  const bool was_stopping = topic.served->memory().board().state.load(std::memory_order::acquire) ==
                            static_cast<std::uint32_t>(layout::TopicState::stopping);
  for (std::uint32_t p = 0; p < topic.settings.partitions; ++p) {
    if (topic.settings.persist) {
      reopen_partition(*topic.served, p,
                       recover_log(*topic.served, p, parts_.file_system, parts_.log), parts_.log);
    }
    // An orderly stop that did not come to its end had closed it.
    if (was_stopping) {
      topic.served->view(p).tail().fetch_and(~layout::TailCodec::kClosed,
                                             std::memory_order::acq_rel);
    }
  }
  return true;
}

void TopicRegistry::begin_ring(Topic& topic) {
  ++topic.row.generation;
  const TopicIdentity identity{topic.row.uuid, topic.row.name, topic.row.generation};
  topic.served = make_served(
      topic, TopicMemory::create(identity, topic.settings, parts_.config.handles_per_topic_max));
  keep(topic);
  for (std::uint32_t p = 0; p < topic.settings.partitions; ++p) {
    PartitionRow& row = topic.row.partitions[p];
    log::Recovered recovered;
    std::optional<log::LogPoint> floor;
    if (topic.settings.persist) {
      recovered = recover_log(*topic.served, p, parts_.file_system, parts_.log);
      floor = recovered.floor;
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

void TopicRegistry::load(std::map<std::string, KeptDescriptor>& kept) {
  remove_leftovers();
  for (TopicRow& row : parts_.catalog.topics()) {
    TopicSettings settings;
    std::string fault;
    try {
      settings = control::topic_settings_from_json(nlohmann::json::parse(row.settings));
      control::validate(settings);
    } catch (const std::exception& error) {
      fault = fmt::format("its settings in the catalog cannot be used: {}", error.what());
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
    if (!fault.empty()) continue;
    try {
      if (adopt(*topic, kept)) {
        keep(*topic);  // the same descriptors: a replaced keeper must get them
        parts_.log.info("ring_adopted", {{"topic", row.name}, {"generation", row.generation}});
      } else {
        check_budget(row.name, settings);
        begin_ring(*topic);
      }
      for (const shm::MemoryKind kind : kTopicMemory) kept.erase(memory_name(*topic, kind));
    } catch (const std::exception& error) {
      topic->served = nullptr;
      topic->fault = error.what();
      // What the keeper has of it stays there: nothing is thrown away because it cannot be used.
      for (const shm::MemoryKind kind : kTopicMemory) kept.erase(memory_name(*topic, kind));
    }
    if (!topic->fault.empty()) {
      parts_.log.error("topic_not_served", {{"topic", row.name}, {"why", topic->fault}});
    }
  }
}

void TopicRegistry::serve() {
  for (const auto& [name, topic] : topics_) {
    if (!topic->served) continue;
    auto& board = topic->served->memory().board();
    board.supervisor = parts_.self;
    board.supervisor_epoch.store(parts_.epoch, std::memory_order::release);
    set_state(*topic->served, layout::TopicState::serving);
    topic->served->memory().publish();
    parts_.flusher.add(topic->served);
    wake_everybody(*topic->served);
  }
}

void TopicRegistry::announce_stop() {
  for (const auto& [name, topic] : topics_) {
    if (!topic->served) continue;
    set_state(*topic->served, layout::TopicState::stopping);
    wake_everybody(*topic->served);
  }
}

bool TopicRegistry::mark_clean() {
  std::vector<TopicRow> rows;
  bool all = true;
  for (const auto& [name, topic] : topics_) {
    if (!topic->served) continue;
    bool clean = true;
    for (std::uint32_t p = 0; p < topic->settings.partitions; ++p) {
      const ring::PartitionView view = topic->served->view(p);
      const layout::BoardPartition& board = view.board();
      // Relaxed: the drain's answer came through a queue.
      const std::uint64_t offset = board.committed_offset.load(std::memory_order::relaxed);
      const std::uint64_t position = board.committed_position.load(std::memory_order::relaxed);
      const layout::Tail tail = view.codec().unpack(view.tail().load(std::memory_order::acquire));
      const bool drained = tail.position == position &&
                           (!topic->settings.persist ||
                            board.durable_offset.load(std::memory_order::relaxed) == offset);
      clean = clean && drained;
      const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
      PartitionRow& row = topic->row.partitions[p];
      row.clean = true;
      row.clean_offset = offset;
      row.clean_position = base + position;
    }
    all = all && clean;
    if (clean) rows.push_back(topic->row);
  }
  if (all) parts_.catalog.mark_clean(rows);
  return all;
}

void TopicRegistry::remove_leftovers() const {
  std::error_code ignored;
  std::vector<std::filesystem::path> deleted;
  for (const auto& entry :
       std::filesystem::directory_iterator(parts_.config.state_dir / "topics", ignored)) {
    if (entry.path().string().ends_with(kDeletedSuffix)) deleted.push_back(entry.path());
  }
  const std::vector<TopicRow> rows = parts_.catalog.topics();
  for (const auto& path : deleted) {
    const std::string uuid = path.stem().string();
    const bool has_row = std::ranges::any_of(
        rows, [&](const TopicRow& row) { return shm::to_string(row.uuid) == uuid; });
    if (has_row) {
      // The deletion never came as far as the catalog: it never happened.
      std::filesystem::rename(path, path.parent_path() / uuid, ignored);
    } else {
      std::filesystem::remove_all(path, ignored);
    }
  }
}

}  // namespace ringway::daemon
