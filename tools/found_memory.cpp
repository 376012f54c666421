#include "tools/found_memory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "client/topic_memory.hpp"
#include "control/keeper_connection.hpp"
#include "layout/board.hpp"
#include "ringway/error.hpp"
#include "shm/memory_name.hpp"
#include "shm/process.hpp"
#include "tools/pid_namespace.hpp"
#include "tools/service_unit.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

using shm::MemoryKind;
using shm::MemoryName;

/// Adds what `name` stands for; of rings and boards only those of the wanted generation.
void take(FoundMemory& found, const MemoryName& name, shm::Descriptor file) {
  if (name.kind == MemoryKind::session) {
    found.sessions.emplace(FoundMemory::SessionChunk{name.session, name.number}, std::move(file));
    return;
  }
  if (name.topic != found.topic || name.number != found.generation) return;
  if (name.kind == MemoryKind::board && !found.board) found.board = std::move(file);
  if (name.kind == MemoryKind::ring && !found.ring) found.ring = std::move(file);
}

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

/// The names in a directory that are numbers; none when it cannot be read.
std::vector<std::string> numbers_in(const std::string& path) {
  std::vector<std::string> numbers;
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (!directory) return numbers;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') numbers.emplace_back(entry->d_name);
  }
  return numbers;
}

/// One memory file as some process holds it.
struct Sighting {
  MemoryName name;
  pid_t pid = 0;
  std::string directory;  ///< /proc/PID/fd
  std::string path;
};

std::optional<MemoryName> name_behind(const std::string& link) {
  std::array<char, 512> text{};
  const ssize_t bytes = readlink(link.c_str(), text.data(), text.size());
  std::string_view target(text.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  constexpr std::string_view kBefore = "/memfd:";
  constexpr std::string_view kBehind = " (deleted)";
  if (!target.starts_with(kBefore)) return {};
  target.remove_prefix(kBefore.size());
  if (target.ends_with(kBehind)) target.remove_suffix(kBehind.size());
  return shm::parse_memory_name(target);
}

void look_into(const std::string& pid, std::vector<Sighting>& seen) {
  const std::string directory = fmt::format("/proc/{}/fd", pid);
  for (const std::string& fd : numbers_in(directory)) {
    std::string path = fmt::format("{}/{}", directory, fd);
    if (const auto name = name_behind(path)) {
      seen.push_back({*name, std::stoi(pid), directory, std::move(path)});
    }
  }
}

std::vector<Sighting> sightings() {
  std::vector<Sighting> seen;
  for (const std::string& pid : numbers_in("/proc")) look_into(pid, seen);
  return seen;
}

/// Empty when it is gone by now, or not the wanted owner's.
shm::Descriptor open_sighting(const Sighting& seen, std::optional<uid_t> owner) {
  shm::Descriptor file(::open(seen.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0) return {};
  // The descriptor may have become another file since it was seen.
  const auto name = name_behind(fmt::format("/proc/self/fd/{}", file.get()));
  if (!name || *name != seen.name) return {};
  // Sessions too are made by the supervisor.
  if (owner && status.st_uid != *owner) return {};
  return file;
}

/// What a board says before anybody maps it, who checks its other words.
struct BoardLine {
  std::string topic{};
  bool finished = false;  ///< its ring is open, or was
};

BoardLine read_board(int board) {
  layout::BoardHeader header;
  if (pread(board, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return {};
  return {.topic = {header.name, strnlen(header.name, sizeof header.name)},
          .finished = header.magic.load(std::memory_order::relaxed) != 0};
}

/// The arguments that a process was started with.
std::vector<std::string> command_line(const std::string& process) {
  std::ifstream file(process + "/cmdline");
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(std::move(word));
  return words;
}

/// Adds who holds it, and in which state its supervisor is by that.
void judge(FoundBoard& board, const layout::ProcessId& supervisor, const InnerProcesses& inner) {
  const std::string process = fmt::format("/proc/{}", board.holder);
  if (const auto words = command_line(process); words.size() == 4 &&
      words[1] == "--keeper" && is_ringwayd(static_cast<pid_t>(board.holder))) {
    board.kind = HolderKind::keeper;
    board.runtime_dir = words[2];
    board.state_dir = words[3];
    if (struct stat of{}; stat(process.c_str(), &of) == 0 && of.st_uid != geteuid()) {
      board.owner = shm::user_name(of.st_uid);
    }
  } else if (is_service_manager(static_cast<pid_t>(board.holder))) {
    board.kind = HolderKind::service_manager;
  } else if (is_ringwayd(static_cast<pid_t>(board.holder))) {
    board.kind = HolderKind::supervisor;
  }
  // A pid means something in its own namespace only. Whoever keeps the memory is of that one; a
  // client may be of any.
  const bool client_below = board.kind == HolderKind::client && !sees_all_pid_namespaces();
  const bool here = shares_pid_namespace(static_cast<pid_t>(board.holder)) && !client_below;
  const Recorded recorded = here ? Recorded::here : Recorded::somewhere;
  board.supervisor = supervisor.pid;
  board.supervisor_state = process_state(supervisor, recorded);
  if (is_here(supervisor)) return;
  if (const auto found = inner.find(supervisor)) {
    board.supervisor = found->pid;
    board.supervisor_state = process_state(*found, Recorded::here);
  }
}

/// Whose pids are in memory that this process holds, as far as it tells.
Recorded recorded_by(pid_t holder) {
  const bool of_the_bus = is_ringwayd(holder) || is_service_manager(holder);
  return of_the_bus && shares_pid_namespace(holder) ? Recorded::here : Recorded::somewhere;
}

/// Which of a topic's rings is looked into: the newest that is finished. One that still gets ready
/// to replace it counts only where there is no other.
struct Rank {
  bool finished = false;
  std::uint64_t generation = 0;
  auto operator<=>(const Rank&) const = default;
};

}  // namespace

std::optional<FoundMemory> memory_from_keeper(const std::string& runtime_dir,
                                              const std::string& topic,
                                              std::chrono::milliseconds timeout) {
  FoundMemory found;
  std::vector<control::KeptDescriptor> kept;
  try {
    control::KeeperConnection keeper(runtime_dir, timeout);
    kept = keeper.look(topic);
    found.recorded = recorded_by(keeper.pid());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable) return {};
    throw;
  }
  found.through = "the keeper";
  Rank best;
  for (const control::KeptDescriptor& entry : kept) {
    const auto name = shm::parse_memory_name(entry.name);
    if (!name || name->kind != MemoryKind::board) continue;
    const Rank rank{read_board(entry.descriptor.get()).finished, name->number};
    if (rank < best) continue;
    best = rank;
    found.topic = name->topic;
    found.generation = name->number;
  }
  for (control::KeptDescriptor& entry : kept) {
    if (const auto name = shm::parse_memory_name(entry.name)) {
      take(found, *name, std::move(entry.descriptor));
    }
  }
  if (!found.board || !found.ring) return {};
  return found;
}

FoundMemory memory_from_supervisor(const TopicMemory& handed_over) {
  return {.topic = handed_over.identity().topic,
          .generation = handed_over.identity().generation,
          .board = shm::duplicate(handed_over.board_file().get()),
          .ring = shm::duplicate(handed_over.ring_file().get()),
          .through = "the supervisor"};
}

std::optional<FoundMemory> memory_from_processes(const std::string& topic,
                                                 std::optional<uid_t> owner) {
  const std::vector<Sighting> seen = sightings();
  const auto wanted_uuid = shm::parse_uuid(topic);
  FoundMemory found;
  Rank best;
  for (const Sighting& sighting : seen) {
    const MemoryName& name = sighting.name;
    if (name.kind != MemoryKind::board) continue;
    if (found.board && name.topic == found.topic && name.number == found.generation) continue;
    shm::Descriptor board = open_sighting(sighting, owner);
    if (!board) continue;
    const BoardLine line = read_board(board.get());
    if (wanted_uuid ? name.topic != *wanted_uuid : line.topic != topic) continue;
    if (found.board && name.topic != found.topic) {
      throw Error(ErrorCode::usage, topic_thing(topic),
                  fmt::format("several are in memory: {} and {}", shm::to_string(found.topic),
                              shm::to_string(name.topic)),
                  "name one by its UUID, or its bus by --runtime-dir");
    }
    const Rank rank{line.finished, name.number};
    if (rank < best) continue;
    best = rank;
    found.topic = name.topic;
    found.generation = name.number;
    found.board = std::move(board);
    found.through = sighting.directory;
  }
  if (!found.board) return {};
  // Sessions are numbered anew in each bus: only those count that are held together with the topic.
  std::set<std::string> holders;
  for (const Sighting& sighting : seen) {
    const bool session = sighting.name.kind == MemoryKind::session;
    if (session || sighting.name.topic != found.topic) continue;
    holders.insert(sighting.directory);
    if (recorded_by(sighting.pid) == Recorded::here) found.recorded = Recorded::here;
  }
  for (const Sighting& sighting : seen) {
    const MemoryName& name = sighting.name;
    const bool needed = name.kind == MemoryKind::session
                            ? holders.contains(sighting.directory) &&
                                  !found.sessions.contains({name.session, name.number})
                            : name.kind == MemoryKind::ring && !found.ring;
    if (!needed) continue;
    if (shm::Descriptor file = open_sighting(sighting, owner)) {
      take(found, sighting.name, std::move(file));
    }
  }
  if (!found.ring) return {};
  return found;
}

std::map<FoundMemory::SessionChunk, shm::Descriptor> sessions_of_supervisor(pid_t supervisor) {
  std::vector<Sighting> seen;
  look_into(fmt::format("{}", supervisor), seen);
  std::map<FoundMemory::SessionChunk, shm::Descriptor> sessions;
  for (const Sighting& sighting : seen) {
    if (sighting.name.kind != MemoryKind::session) continue;
    if (shm::Descriptor file = open_sighting(sighting, {})) {
      sessions.emplace(FoundMemory::SessionChunk{sighting.name.session, sighting.name.number},
                       std::move(file));
    }
  }
  return sessions;
}

std::vector<FoundBoard> boards_in_processes() {
  std::vector<FoundBoard> boards;
  const InnerProcesses inner;
  const pid_t self = getpid();
  for (const Sighting& sighting : sightings()) {
    if (sighting.name.kind != MemoryKind::board) continue;
    const shm::Descriptor file = open_sighting(sighting, {});
    layout::BoardHeader header;
    if (!file || pread(file.get(), &header, sizeof header, 0) != ssize_t{sizeof header}) continue;
    // Relaxed: a copy that nobody else has.
    const auto state =
        static_cast<layout::TopicState>(header.state.load(std::memory_order::relaxed));
    if (header.magic.load(std::memory_order::relaxed) != layout::kBoardMagic) continue;
    if (state == layout::TopicState::replaced || state == layout::TopicState::deleted) continue;
    if (sighting.pid == self) continue;
    boards.push_back({.topic = {header.name, strnlen(header.name, sizeof header.name)},
                      .layout = fmt::format("{}.{}", header.major,
                                            header.minor.load(std::memory_order::relaxed)),
                      .holder = static_cast<std::uint32_t>(sighting.pid)});
    judge(boards.back(), header.supervisor, inner);
  }
  return boards;
}

}  // namespace ringway::cli
