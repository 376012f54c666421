#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/access.hpp"
#include "control/channel.hpp"
#include "daemon/catalog.hpp"
#include "daemon/config.hpp"
#include "daemon/event_log.hpp"
#include "daemon/flusher.hpp"
#include "daemon/keepsakes.hpp"
#include "daemon/named_cursors.hpp"
#include "daemon/served_topic.hpp"
#include "log/recovery.hpp"
#include "shm/memory_name.hpp"

namespace ringway::daemon {

/// A topic as the control thread knows it.
struct Topic {
  TopicRow row;
  TopicSettings settings;
  control::TopicAccess access;
  NamedCursors cursors;
  std::shared_ptr<ServedTopic> served{};  ///< null: it cannot be served, and `fault` says why
  std::string fault{};
  std::vector<std::string> damage{};  ///< what of its log was unreadable at the start
  bool deleting = false;
};

/// The three memory files of a topic, and their names at the keeper.
inline constexpr shm::MemoryKind kTopicMemory[] = {shm::MemoryKind::ring, shm::MemoryKind::board,
                                                   shm::MemoryKind::bell};
std::string memory_name(const Topic& topic, shm::MemoryKind kind);

/// A deleted topic's directory until all of it is gone.
inline constexpr std::string_view kDeletedSuffix = ".deleted";

/// What the parts of the supervisor have in common. All of it outlives them.
struct SupervisorParts {
  const Config& config;
  const EventLog& log;
  storage::FileSystem& file_system;
  Catalog& catalog;
  Keepsakes& keepsakes;
  Flusher& flusher;
  layout::ProcessId self;
  std::uint64_t epoch;
  std::function<void(std::function<void()>)> post;  ///< into the control thread, from any thread
};

/// All topics of the bus: makes and deletes them in the order that leaves nothing behind after a
/// crash, and brings them back at the start, with their living rings where the keeper has them.
/// Control thread only. Everything throws Error naming topic, rule and fix.
class TopicRegistry {
 public:
  TopicRegistry(const SupervisorParts& parts, std::uint64_t memory_limit)
      : parts_(parts), memory_limit_(memory_limit) {}

  /// Memory sealed and reserved -> keeper -> catalog -> directories -> board, magic last ->
  /// flusher.
  std::shared_ptr<Topic> create(const std::string& name, const TopicSettings& settings,
                                const control::Credentials& owner);
  /// From now on nobody finds it; `done` when ring, log and catalog row are gone. Whoever has it
  /// open sees `deleted` on the board; `settled` runs before the memory goes.
  void remove(const std::shared_ptr<Topic>& topic, std::function<void()> settled,
              std::function<void()> done);
  /// Tries again what the catalog refused. @throws Error when it still does.
  void finish_removals();

  std::shared_ptr<Topic> get(std::string_view name) const;
  std::shared_ptr<Topic> get(const shm::Uuid& uuid) const;
  const std::map<std::string, std::shared_ptr<Topic>, std::less<>>& all() const noexcept {
    return topics_;
  }
  std::uint64_t memory_used() const noexcept;
  std::uint64_t memory_limit() const noexcept { return memory_limit_; }

  /// Start, first half: every topic of the catalog gets its living ring from `kept`, or a new one.
  /// One that cannot be served is kept out with its fault; the others go on.
  void load(std::map<std::string, KeptDescriptor>& kept);
  /// Start, second half, when the adopted handles are known: boards say who serves, the flusher
  /// runs.
  void serve();

  /// Orderly stop: boards say so.
  void announce_stop();
  /// After the drain: which partitions may go on exactly. False: some topic may not.
  bool mark_clean();

 private:
  struct Removal {
    std::shared_ptr<Topic> topic;
    std::function<void()> done;
    std::string refused;  ///< why it is not over
  };

  std::filesystem::path directory(const shm::Uuid& uuid) const;
  std::shared_ptr<ServedTopic> make_served(const Topic& topic, TopicMemory memory) const;
  void finish_removal(Removal removal);
  void check_disk(const std::string& name) const;
  void make_directory(const ServedTopic& topic, std::uint32_t partition) const;
  void check_budget(const std::string& name, const TopicSettings& settings) const;
  control::TopicAccess access_of(const std::string& name, const TopicSettings& settings,
                                 std::uint32_t owner, bool strict) const;
  void keep(const Topic& topic) const;
  void drop(const Topic& topic) const noexcept;
  log::Recovered recover(Topic& topic, std::uint32_t partition) const;
  bool adopt(Topic& topic, std::map<std::string, KeptDescriptor>& kept);
  void begin_ring(Topic& topic);
  void remove_leftovers() const;

  SupervisorParts parts_;
  std::uint64_t memory_limit_;
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_;
  std::vector<Removal> unfinished_;  ///< the catalog would not let go of them
};

}  // namespace ringway::daemon
