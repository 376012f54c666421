#include "tools/doctor/examination.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

#include "client/administration.hpp"
#include "control/keeper_connection.hpp"
#include "control/socket_address.hpp"
#include "control/status_trouble.hpp"
#include "layout/version.hpp"
#include "shm/barrier.hpp"
#include "shm/descriptor.hpp"
#include "shm/process.hpp"
#include "tools/bus_access.hpp"
#include "tools/bus_places.hpp"
#include "tools/capture.hpp"
#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kSyncs = 32;
constexpr std::chrono::seconds kSyncsAtMost{2};
constexpr std::chrono::seconds kTopicsAtMost{2};
constexpr std::chrono::seconds kUnitAtMost{5};
constexpr std::size_t kPropertiesBytesMax = 64 << 10;

std::optional<std::string> read_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  std::ifstream file(path);
  if (!file) return {};
  std::ostringstream text;
  text << file.rdbuf();
  // An empty file leaves failbit on the buffer's side only; a refusal shows here.
  if (file.bad()) return {};
  return text.str();
}

SyncTimes measure_syncs(const std::string& directory) {
  SyncTimes result;
  const auto refused = [&](const char* what) {
    result.times.clear();
    result.why_not = fmt::format("{}: {} ({})", directory, what, std::strerror(errno));
    return result;
  };
  const shm::Descriptor file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return refused("no file can be made there");
  struct statfs kind {};
  if (fstatfs(file.get(), &kind) != 0) return refused("it cannot be looked at");
  result.in_memory = kind.f_type == TMPFS_MAGIC || kind.f_type == RAMFS_MAGIC;
  const std::array<char, 4096> block{};
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < kSyncs && Clock::now() - begin < kSyncsAtMost; ++i) {
    const Clock::time_point before = Clock::now();
    const auto at = static_cast<off_t>(i * block.size());
    if (pwrite(file.get(), block.data(), block.size(), at) != ssize_t{block.size()}) {
      return refused("it cannot be written to");
    }
    if (fdatasync(file.get()) != 0) return refused("it cannot be synced");
    result.times.push_back(Clock::now() - before);
  }
  std::ranges::sort(result.times);
  return result;
}

void look_at(const std::string& path, Facts& facts) {
  std::error_code refused;
  const std::filesystem::file_status there = std::filesystem::status(path, refused);
  if (there.type() == std::filesystem::file_type::none) facts.unseen_socket = path;
  if (!std::filesystem::is_socket(there)) return;
  const shm::Descriptor probe(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const control::SocketAddress address(path);
  const int failed = ::connect(probe.get(), address.get(), address.bytes());
  // Anything but a refusal has somebody behind it, if only one that is not for this user.
  facts.sockets.push_back({path, failed == 0 || errno != ECONNREFUSED});
}

Unit unit_of_ringwayd(pid_t supervisor) {
  Unit unit = unit_of(supervisor);
  return unit.name.starts_with("ringwayd") ? unit : Unit{};
}

void look_at_unit(Facts& facts) {
  const Unit& unit = facts.unit;
  if (unit.name.empty()) return;
  std::vector<std::string> words{"systemctl", "show", "--no-pager"};
  if (unit.of_user) words.emplace_back("--user");
  if (unit.of_user && !facts.owner.empty()) {
    words.push_back(fmt::format("--machine={}@", facts.owner));
  }
  words.insert(words.end(),
               {"--property=SystemCallFilter,NFileDescriptorStore,FileDescriptorStoreMax", "--",
                unit.name});
  const std::string said = capture(words, kUnitAtMost, kPropertiesBytesMax).out;
  facts.call_filter = line_behind(said, "SystemCallFilter=").value_or("");
  const auto number = [&](std::string_view property) {
    return number_in(line_behind(said, property).value_or(""));
  };
  const auto used = number("NFileDescriptorStore=");
  const auto most = number("FileDescriptorStoreMax=");
  if (used && most) facts.store = DescriptorStore{*used, *most};
}

void look_at_disk(Facts& facts) {
  if (facts.state_dir.empty()) {
    facts.sync.why_not = "nobody says where the state directory is: --state-dir";
    return;
  }
  facts.sync = measure_syncs(facts.state_dir);
  struct statvfs disk {};
  if (statvfs(facts.state_dir.c_str(), &disk) == 0) {
    facts.disk = DiskRoom{disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize};
  }
  const auto said = facts.status.value("disk", nlohmann::json::object());
  std::error_code unknown;
  if (said.contains("keep_free") &&
      std::filesystem::equivalent(facts.status.value("state_dir", ""), facts.state_dir, unknown)) {
    facts.keep_free = said.value("keep_free", std::uint64_t{0});
  }
}

/// `full`: what trimming it would free counts, too.
TopicRoom room_of(Bus& bus, const std::string& topic, bool full) {
  TopicRoom room{.name = topic};
  try {
    const TopicSettings settings = bus.settings(topic);
    room.ring_bytes = settings.ring_bytes;
    room.on_disk = settings.persist && settings.sync != SyncPolicy::never;
    if (!full || !settings.persist) return room;
    const auto trimmed = Administration(bus).trim(
        {.name = topic, .before_offset = UINT64_MAX, .dry_run = true});
    for (const control::TrimmedPartition& one : trimmed) room.trimmable_bytes += one.bytes;
  } catch (const Error&) {
    // It is not served, or this user may not: another may have more.
  }
  return room;
}

void look_at_topics(const Common& common, Facts& facts) {
  const Clock::time_point end = Clock::now() + kTopicsAtMost;
  const auto needs_room = [](const control::StatusTrouble& trouble) {
    return trouble.what == control::TroubleKind::disk_full ||
           trouble.what == control::TroubleKind::disk_short;
  };
  const bool full = facts.is_short_of_room() ||
                    std::ranges::any_of(control::troubles_in(facts.status), needs_room);
  try {
    Bus bus = connect(hastened(common));
    for (const TopicSummary& topic : bus.topics()) {
      if (Clock::now() > end) return;
      facts.topics.push_back(room_of(bus, topic.name, full));
    }
  } catch (const Error&) {
    // It has ended meanwhile.
  }
}

/// None: there is no such process to be seen.
std::optional<uid_t> owner_of(pid_t pid) {
  struct stat status {};
  if (pid == 0 || ::stat(fmt::format("/proc/{}", pid).c_str(), &status) != 0) return {};
  return status.st_uid;
}

/// How many descriptors it has open; none: who asks may not look.
std::optional<std::uint64_t> descriptors_of(pid_t pid) {
  std::error_code refused;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at(fmt::format("/proc/{}/fd", pid), refused), end;
       !refused && at != end; at.increment(refused)) {
    ++count;
  }
  if (refused) return {};
  return count;
}

/// Of a bus that was killed, whose socket is not where its keeper is. Only one bus may be meant.
void take_places_of_keeper(Facts& facts) {
  if (std::filesystem::path(facts.socket).filename() == "control.sock") return;
  if (facts.sockets.empty() || facts.sockets.front().path != facts.socket) return;
  std::map<std::string, const FoundBoard*> keepers;  // by their runtime directories
  for (const FoundBoard& board : facts.boards) {
    if (board.kind == HolderKind::keeper && board.supervisor_state == "dead") {
      keepers[board.runtime_dir] = &board;
    }
  }
  if (keepers.size() != 1) return;
  const FoundBoard& board = *keepers.begin()->second;
  facts.runtime_dir = board.runtime_dir;
  facts.state_dir = board.state_dir;
  facts.usual_state_dir = false;
  facts.owner = board.owner;
}

}  // namespace

Facts examine(const Common& common, const std::string& state_dir) {
  Facts facts;
  facts.read = read_file;
  facts.socket = socket_path(common);
  facts.version = RINGWAY_VERSION;
  facts.layout = fmt::format("{}.{}", layout::kLayoutVersion.major, layout::kLayoutVersion.minor);
  facts.uid = geteuid();
  facts.self = getpid();
  facts.user = shm::user_name(facts.uid);
  facts.membarrier = shm::ProcessBarrier::detect().available();
  try {
    facts.status = Administration(connect(hastened(common))).status();
    facts.supervisor = pid_here(facts.socket, facts.status.value("pid", 0));
    facts.answers = true;
    facts.unit = unit_of_ringwayd(facts.supervisor);
  } catch (const Error& error) {
    facts.silence = fmt::format("{}: {}", error.thing(), error.rule());
    if (error.code() == ErrorCode::denied) facts.refusal_fix = error.fix();
    facts.service = service_state(common);
    facts.unit = facts.service.unit;
    if (is_ringwayd(facts.service.process)) facts.supervisor = facts.service.process;
  }
  if (const auto uid = owner_of(facts.supervisor); uid && *uid != facts.uid) {
    facts.owner = shm::user_name(*uid);
  }
  if (facts.supervisor != 0) facts.descriptors = descriptors_of(facts.supervisor);
  facts.in_ringwayd = facts.supervisor == 0 || is_ringwayd(facts.supervisor);
  if (facts.in_ringwayd && facts.supervisor != 0) facts.start = start_of(facts.supervisor);
  look_at_unit(facts);
  const BusPlaces places = bus_places(common, facts.status);
  facts.runtime_dir = places.runtime_dir;
  facts.state_dir = state_dir.empty() ? places.state_dir : state_dir;
  if (facts.state_dir.empty()) {
    facts.state_dir = usual_state_dir(facts.runtime_dir);
    facts.usual_state_dir = !facts.state_dir.empty();
  }
  for (const std::string& path : {facts.socket, control::keeper_socket(facts.runtime_dir)}) {
    look_at(path, facts);
  }
  facts.boards = boards_in_processes();
  if (!facts.answers && facts.unit.name.empty() && state_dir.empty() && places.state_dir.empty()) {
    take_places_of_keeper(facts);
  }
  facts.sees_all = facts.uid == 0 && read_file("/proc/self/stat");
  look_at_disk(facts);
  if (facts.answers) look_at_topics(common, facts);
  return facts;
}

}  // namespace ringway::cli::doctor
