#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shm/descriptor.hpp"
#include "shm/uuid.hpp"
#include "tools/process_state.hpp"

namespace ringway {
class TopicMemory;
}

namespace ringway::cli {

/// Descriptors of one topic's memory, read-only, as they are found, without asking a supervisor
/// where others have it.
struct FoundMemory {
  using SessionChunk = std::pair<std::uint64_t, std::uint64_t>;  ///< session, chunk

  shm::Uuid topic{};
  std::uint64_t generation = 0;
  shm::Descriptor board{};
  shm::Descriptor ring{};
  std::map<SessionChunk, shm::Descriptor> sessions{};  ///< as far as this user may see them
  std::string through{};  ///< "the keeper", "the supervisor", "/proc/123/fd"
  /// Whose pids are in it; `somewhere` until a process in it is found alive here.
  Recorded recorded = Recorded::somewhere;
};

/// What the keeper of a runtime directory gives this user. Nothing when there is no keeper. Throws
/// Error not_found when it does not know the topic by this name; denied, timeout.
std::optional<FoundMemory> memory_from_keeper(const std::string& runtime_dir,
                                              const std::string& topic,
                                              std::chrono::milliseconds timeout);

/// What a supervisor handed over; without sessions, which it gives to nobody else.
FoundMemory memory_from_supervisor(const TopicMemory& handed_over);

/// What can be opened through /proc/PID/fd of any process: as root everything, else one's own. Only
/// memory that `owner` made counts, where that is known. `topic` is a name or a UUID. Nothing when
/// no process holds it. Throws Error when several topics of that name are found.
std::optional<FoundMemory> memory_from_processes(const std::string& topic,
                                                 std::optional<uid_t> owner);

/// All sessions of a bus as its supervisor has them open, where this user may look into it.
std::map<FoundMemory::SessionChunk, shm::Descriptor> sessions_of_supervisor(pid_t supervisor);

/// What a process that holds a board is there for.
enum class HolderKind : unsigned char {
  keeper,
  service_manager,  ///< its descriptor store
  supervisor,
  client,
};

/// A topic's board as one process holds it, and what it says of itself.
struct FoundBoard {
  std::string topic{};
  std::string layout{};  ///< "1.4"
  std::uint32_t supervisor = 0;  ///< by its pid here, where it is known
  std::string supervisor_state{};  ///< as process_state() has it; unknown: of another pid namespace
  std::uint32_t holder = 0;
  HolderKind kind = HolderKind::client;
  std::string runtime_dir{}, state_dir{};  ///< that a keeper is for
  std::string owner{};  ///< a keeper's user, where it is not this one
};

/// Boards in use (not replaced, not deleted) in all other processes that this user may look into.
std::vector<FoundBoard> boards_in_processes();

}  // namespace ringway::cli
