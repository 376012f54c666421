#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/access.hpp"
#include "control/channel.hpp"
#include "control/status_trouble.hpp"
#include "daemon/log_recoveries.hpp"
#include "daemon/memory_maker.hpp"
#include "daemon/served_topic.hpp"
#include "daemon/supervisor_parts.hpp"
#include "daemon/topic.hpp"
#include "log/recovery.hpp"
#include "ringway/error.hpp"
#include "shm/memory_name.hpp"

namespace ringway::daemon {

/// On topics that block producers, a consumer that has not moved to the topic's present ring yet
/// holds all of it: its handle with a pin at the ring's beginning. None where nobody blocks.
std::optional<HandleSlots> blocker_of(const layout::Attachment& entry,
                                      const layout::BoardHeader& board);

/// The three memory files of a topic, and their names at the keeper.
inline constexpr shm::MemoryKind kTopicMemory[] = {shm::MemoryKind::ring, shm::MemoryKind::board,
                                                   shm::MemoryKind::bell};
std::string memory_name(const shm::Uuid& topic, std::uint64_t generation, shm::MemoryKind kind);

/// Of the state directory: what has the logs, a directory for each topic.
inline constexpr std::string_view kTopicsDirectory = "topics";
/// A deleted topic's directory until all of it is gone.
inline constexpr std::string_view kDeletedSuffix = ".deleted";

/// All topics of the bus: makes and deletes them in the order that leaves nothing behind after a
/// crash, and brings them back at the start, with their living rings where the keeper has them.
/// Control thread only. Everything throws Error naming topic, rule and fix.
class TopicRegistry {
 public:
  TopicRegistry(const SupervisorParts& parts, std::uint64_t memory_limit)
      : parts_(parts), memory_limit_(memory_limit) {}
  ~TopicRegistry() { maker_->stop(); }
  TopicRegistry(const TopicRegistry&) = delete;
  TopicRegistry& operator=(const TopicRegistry&) = delete;

  /// Of memory that is being made, what is not there yet.
  std::uint64_t missing_bytes() const noexcept { return maker_->missing_bytes(); }
  /// `done` in the thread that makes memory, as soon as it comes round.
  void ask_maker(std::function<void()> done) { maker_->answer(std::move(done)); }

  /// Called in the control thread: the topic, or what it was refused by.
  using Created = std::function<void(const std::shared_ptr<Topic>&, std::exception_ptr)>;
  /// Memory sealed and reserved -> keeper -> catalog -> directories -> board, magic last ->
  /// flusher -> `done`. The memory is made in a thread of its own; until then nobody finds the
  /// topic, and its name is taken. What the disk refuses to take back of a creation that fails is a
  /// topic that is being deleted.
  /// @throws Error when nothing of it has happened.
  void create(const std::string& name, const TopicSettings& settings,
              const control::Credentials& owner, Created done);
  /// Whether a topic of that name is being made: then `over` is called when it is made or refused.
  bool await_creation(std::string_view name, const std::function<void()>& over);
  /// From now on nobody finds it; `done` when ring, log and catalog row are gone. Whoever has it
  /// open sees `deleted` on the board; `settled` runs before the memory goes.
  void remove(const std::shared_ptr<Topic>& topic, std::function<void()> settled,
              std::function<void()> done);
  /// Tries again what the disk refused of deletions.
  void finish_removals();

  /// Gives a topic other settings, and a new ring with them. `done` when clients are served by it.
  /// Until its memory is made nothing has happened, and `done` may still say what refused it.
  /// @throws Error (usage, limit, busy) when nothing of it has happened.
  void alter(const std::shared_ptr<Topic>& topic, const TopicSettings& settings, Replaced done);
  /// The same, for another reason.
  void replace_ring(const std::shared_ptr<Topic>& topic, const TopicSettings& settings,
                    ReplacedBecause reason, Replaced done);
  /// Tries again what the disk refused of other rings.
  void finish_replacements();
  /// Ends, once more, rings whose end an earlier supervisor had decided. Returns why topics cannot
  /// have another one now, as for want of memory; the next call tries these again.
  std::vector<control::StatusTrouble> resume_replacements();
  /// After the handles were adopted: what they have mapped of rings before the present ones counts.
  void remember_retired();
  /// A ring ends only when what it holds is durable: a topic keeps the one it has for as long as
  /// its device refuses. @throws Error busy.
  static void demand_device(const Topic& topic);
  /// Forgets the replaced rings that nobody has mapped any more.
  static void forget_retired(Topic& topic);

  std::shared_ptr<Topic> get(std::string_view name) const;
  std::shared_ptr<Topic> get(const shm::Uuid& uuid) const;
  const std::map<std::string, std::shared_ptr<Topic>, std::less<>>& all() const noexcept {
    return topics_;
  }
  /// What each deletion and each other ring that the disk refuses waits for.
  std::vector<control::StatusTrouble> waiting() const;
  std::uint64_t memory_used() const noexcept;
  std::uint64_t memory_limit() const noexcept { return memory_limit_; }
  void set_memory_limit(std::uint64_t bytes) noexcept { memory_limit_ = bytes; }
  /// Rights as the configuration and this host's accounts have them now; for what is opened from
  /// now on.
  void resolve_rights();
  /// Other readers, writers and admins, kept in the catalog; for what is opened from now on.
  void set_access(Topic& topic, const TopicSettings& settings);

  /// Start, first half: every topic of the catalog gets its living ring from `kept`, or a new one.
  /// One that cannot be served is kept out with its fault; the others go on. Takes from `kept` what
  /// it has adopted; true when living rings of a topic that is kept out are among the rest.
  bool load(std::map<std::string, KeptDescriptor>& kept);
  /// Start, second half, when the adopted handles are known: boards say who serves, the flusher
  /// runs.
  void serve();

  /// Orderly stop: boards say so, and no topic begins to get another ring; what still waits for its
  /// memory is given up. Topics whose rings are ending by now have another soon, and its board says
  /// so, too.
  void announce_stop();
  /// Some topic gets another ring at this moment.
  bool replacing() const;
  /// After the drain: which partitions may go on exactly. False: some topic may not.
  bool mark_clean();

 private:
  struct Removal {
    std::shared_ptr<Topic> topic;
    std::function<void()> done;  ///< empty: a creation is taken back, and nobody waits
    std::string refused;         ///< why it is not over
  };

  /// Memory that is made, or what refused it.
  using MadeMemory = std::function<TopicMemory()>;

  std::filesystem::path directory(const shm::Uuid& uuid) const;
  void make_memory(const TopicIdentity& identity, const TopicSettings& settings,
                   std::uint32_t attachments, std::function<void(const MadeMemory&)> made);
  void finish_creation(const std::shared_ptr<Topic>& topic, const MadeMemory& memory);
  std::shared_ptr<ServedTopic> make_served(const TopicIdentity& identity,
                                           const TopicSettings& settings, TopicMemory memory) const;
  void begin_service(ServedTopic& served) const;
  void take_back(const std::shared_ptr<Topic>& topic);
  void finish_removal(Removal removal);
  void check_disk(const std::string& name) const;
  void make_directory(const ServedTopic& topic, std::uint32_t partition) const;
  void check_budget(const std::string& name, const TopicSettings& settings,
                    std::uint32_t attachments) const;
  control::TopicAccess access_of(const std::string& name, const TopicSettings& settings,
                                 std::uint32_t owner, bool strict) const;
  void keep(const Topic& topic, const ServedTopic& served) const;
  void keep_on(const Topic& topic, const std::map<std::string, KeptDescriptor>& kept) const;
  void drop(const shm::Uuid& topic, std::uint64_t generation) const noexcept;
  std::vector<log::Recovered> recover(Topic& topic, const ServedTopic& served,
                                      log::RecoverMode mode) const;
  std::vector<log::Recovered> report(Topic& topic, const ServedTopic& served,
                                     std::span<LogRecovery> recoveries) const;
  void note_missing_tail(Topic& topic, const ServedTopic& served, std::uint32_t partition,
                         const PartitionRow& row, log::Recovered& recovered) const;
  bool adopt(Topic& topic, const std::map<std::string, KeptDescriptor>& kept) const;
  void go_on(Topic& topic, std::span<LogRecovery> recoveries) const;
  void keep_out(Topic& topic, const std::map<std::string, KeptDescriptor>& kept,
                const std::string& why) const;
  void forget_clean_end(Topic& topic) const;
  void begin_ring(Topic& topic);
  void remove_leftovers() const;
  void undo_deletion(const Topic& topic) const;
  void next_ring_made(const std::shared_ptr<Topic>& topic, const MadeMemory& memory);
  void ring_ended(const std::shared_ptr<Topic>& topic, const RingEnded& outcome);
  void give_up_replacement(Topic& topic, const std::string& why, const std::string& fix);
  void give_up_replacement(Topic& topic, const Error& why);
  void finish_replacement(Topic& topic);
  PartitionRow go_on_behind(Topic& topic, ServedTopic& served, std::uint32_t partition,
                            log::Recovered& recovered);
  static void carry_handles(const ServedTopic& from, ServedTopic& to);

  SupervisorParts parts_;
  std::uint64_t memory_limit_;
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_;
  std::vector<Removal> unfinished_;  ///< the disk would not let go of them
  bool stopping_ = false;
  /// Names of topics whose memory is being made, and who waits for that.
  std::map<std::string, std::vector<std::function<void()>>, std::less<>> being_made_;
  std::uint64_t being_made_bytes_ = 0;  ///< of these, and of rings to come
  /// Ended first of all: its thread calls back. Shared with what it is to free.
  std::shared_ptr<MemoryMaker> maker_ = std::make_shared<MemoryMaker>();
};

}  // namespace ringway::daemon
