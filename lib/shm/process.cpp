#include "shm/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "ringway/error.hpp"
#include "shm/uuid.hpp"

namespace ringway::shm {
namespace {

/// The beginning of a small file of /proc; empty when it cannot be read.
std::string read_start(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> buffer;
  const ssize_t bytes = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  return bytes > 0 ? std::string(buffer.data(), static_cast<std::size_t>(bytes)) : std::string();
}

const Uuid& boot_id() {
  static const Uuid id = [] {
    const std::string text = read_start("/proc/sys/kernel/random/boot_id");
    const auto uuid =
        parse_uuid(std::string_view(text).substr(0, std::min<std::size_t>(text.size(), 36)));
    if (!uuid) {
      const std::string fix = fix_of(errno);
      throw Error(ErrorCode::failed, "/proc/sys/kernel/random/boot_id", "is not readable",
                  fix.empty() ? "mount /proc" : fix);
    }
    return *uuid;
  }();
  return id;
}

/// Field 22 of /proc/PID/stat, 0 when it cannot be read. The command name, field 2, is in
/// parentheses and may hold anything, also ") ": fields are counted from the last parenthesis.
std::uint64_t start_ticks(pid_t pid) {
  const std::string stat = read_start(fmt::format("/proc/{}/stat", pid));
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != stat.npos; ++field) at = stat.find(' ', at + 1);
  if (at == stat.npos) return 0;
  std::uint64_t ticks = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

}  // namespace

std::optional<layout::ProcessId> identify(pid_t pid, uid_t uid) {
  if (pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH)) return std::nullopt;
  layout::ProcessId id{};
  id.pid = static_cast<std::uint32_t>(pid);
  id.uid = uid;
  id.start_ticks = start_ticks(pid);
  std::ranges::copy(boot_id(), id.boot_id);
  return id;
}

layout::ProcessId own_identity() {
  thread_local layout::ProcessId cached{};
  if (cached.pid != static_cast<std::uint32_t>(::getpid())) {
    cached = identify(::getpid(), ::geteuid()).value();
  }
  return cached;
}

std::optional<Descriptor> open_pid(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd) return pidfd;
  // EINVAL, ENOENT: the number is a mere thread's by now.
  if (errno == ESRCH || errno == EINVAL || errno == ENOENT) return std::nullopt;
  throw system_error(errno, fmt::format("process {}", pid), "pidfd_open failed");
}

std::optional<Descriptor> open_process(const layout::ProcessId& id) {
  if (!std::ranges::equal(id.boot_id, boot_id())) return std::nullopt;
  const auto pid = static_cast<pid_t>(id.pid);
  auto pidfd = open_pid(pid);
  if (!pidfd || id.start_ticks == 0) return pidfd;
  // Read after the pidfd was opened: a different start proves that the pid was reused before. Equal
  // or unreadable ones leave the pidfd to tell.
  const std::uint64_t ticks = start_ticks(pid);
  if (ticks != 0 && ticks != id.start_ticks) return std::nullopt;
  return pidfd;
}

bool is_dead(int pidfd) noexcept {
  pollfd entry{pidfd, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&entry, 1, 0);
  } while (ready < 0 && errno == EINTR);
  return ready == 1 && (entry.revents & POLLIN) != 0;
}

bool kill_process(int pidfd) noexcept {
  return ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0) == 0;
}

bool same_process(const layout::ProcessId& a, const layout::ProcessId& b) noexcept {
  return a.pid == b.pid && a.start_ticks == b.start_ticks &&
         std::memcmp(a.boot_id, b.boot_id, sizeof a.boot_id) == 0;
}

std::string user_name(uid_t uid) {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  while (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  return found != nullptr ? entry.pw_name : std::to_string(uid);
}

}  // namespace ringway::shm
