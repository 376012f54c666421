#include "daemon/keeper_client.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

/// How long a dying keeper may take to let go of what it holds.
constexpr std::chrono::seconds kDeathPatience{2};
constexpr std::chrono::milliseconds kAskAgain{10};
/// How long nobody else is served for a keeper that may be stopped. Late answers count, too.
constexpr std::chrono::milliseconds kAnswerPatience{1000};

/// A connection to the living keeper; nothing when none listens.
std::optional<control::KeeperConnection> find_keeper(const std::string& runtime_dir) {
  try {
    return control::KeeperConnection(runtime_dir);
  } catch (const Error& refused) {
    if (refused.code() != ErrorCode::unavailable) throw;
    return std::nullopt;
  }
}

/// In the grandchild, between fork and exec of a process that may have threads: only calls that are
/// safe in a signal handler.
[[noreturn]] void become_keeper(const char* const* arguments, int report) {
  ::dup2(report, STDOUT_FILENO);
  ::dup2(report, STDERR_FILENO);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::close_range(3, ~0u, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(arguments[0], const_cast<char* const*>(arguments));
  constexpr std::string_view kFailed = "the keeper's executable cannot be run";
  [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, kFailed.data(), kFailed.size());
  ::_exit(127);
}

/// Everything the keeper says until it is ready or its pipe closes.
std::string read_report(int pipe) {
  std::string report;
  std::array<char, 512> buffer;
  while (report != "ready\n") {
    const ssize_t bytes = ::read(pipe, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    report.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  return report;
}

}  // namespace

void spawn_keeper(const std::string& executable, const std::string& runtime_dir,
                  const std::string& state_dir) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw system_error(errno, "descriptor keeper", "no pipe to it can be made");
  }
  const shm::Descriptor from(ends[0]);
  shm::Descriptor to(ends[1]);
  const char* const arguments[] = {executable.c_str(), "--keeper", runtime_dir.c_str(),
                                   state_dir.c_str(), nullptr};
  const pid_t child = ::fork();
  if (child < 0) {
    throw system_error(errno, "descriptor keeper", "no process can be made for it",
                       "raise the limit of processes (ulimit -u, TasksMax=), or free memory");
  }
  if (child == 0) {
    // Twice, so that the keeper is nobody's child to wait for.
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) become_keeper(arguments, to.get());
    ::_exit(grandchild > 0 ? 0 : 1);
  }
  to.reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  const std::string report = read_report(from.get());
  if (report == "ready\n") return;
  if (report.empty()) {
    throw Error(ErrorCode::failed, "descriptor keeper", "did not start: it ended without a word",
                "the kernel's log may say what ended it (journalctl -k)");
  }
  throw Error(ErrorCode::failed, "descriptor keeper", "did not start: " + report, "");
}

KeeperClient::KeeperClient(const std::string& executable, const std::string& runtime_dir,
                           const std::string& state_dir) {
  const nlohmann::json attach = {{"op", "attach"},
                                 {"state_dir", std::filesystem::weakly_canonical(state_dir)}};
  const auto deadline = std::chrono::steady_clock::now() + kDeathPatience;
  for (;;) {
    connection_ = find_keeper(runtime_dir);
    found_ = connection_.has_value();
    try {
      if (!found_) {
        spawn_keeper(executable, runtime_dir, state_dir);
        connection_.emplace(runtime_dir);
      }
      connection_->call(attach);
      connection_->set_timeout(kAnswerPatience);
      return;
    } catch (const Error& refused) {
      // A keeper that is being killed takes connections until its last descriptor is closed, and
      // lets no other have its socket.
      const bool dying = refused.code() == ErrorCode::unavailable || !found_;
      if (!dying || std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(kAskAgain);
  }
}

void KeeperClient::put(const std::string& name, const nlohmann::json& meta, int fd) {
  connection_->call({{"op", "put"}, {"name", name}, {"meta", meta}}, {&fd, 1});
}

void KeeperClient::drop(const std::string& name) {
  connection_->call({{"op", "drop"}, {"name", name}});
}

std::vector<KeptDescriptor> KeeperClient::list() {
  return connection_->pages({{"op", "list"}});
}

void KeeperClient::end() {
  connection_->call({{"op", "end"}});
}

}  // namespace ringway::daemon
