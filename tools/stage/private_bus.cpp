#include "tools/stage/private_bus.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <ringway/bus.hpp>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "tools/stage/interruption.hpp"

namespace ringway::cli {

namespace {

using namespace std::chrono_literals;

std::filesystem::path make_directory(const std::filesystem::path& place) {
  std::string name = place / "ringway-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw system_error(errno, place, "making a temporary directory",
                       "set TMPDIR to a directory that can be written to");
  }
  return name;
}

/// Children of this process, the orphans it inherited too.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat((std::istreambuf_iterator<char>(file)), {});
    const std::size_t close = stat.rfind(')');
    if (close == std::string::npos) continue;  // ended meanwhile
    std::istringstream rest(stat.substr(close + 1));
    char state = 0;
    pid_t parent = 0;
    if (rest >> state >> parent && parent == ::getpid()) found.push_back(std::stoi(name));
  }
  return found;
}

/// Empty of a zombie.
std::string arguments_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/cmdline");
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

/// Whether they are those of a process that serves the bus in `directory`.
bool name_bus(const std::string& arguments, const std::filesystem::path& directory) {
  return arguments.find(directory.string() + "/run") != std::string::npos;
}

/// Whether there was somebody who may have left a child of his own.
bool end_children(const std::filesystem::path& directory) {
  bool found = false;
  for (const pid_t child : children()) {
    const std::string arguments = arguments_of(child);
    if (!arguments.empty() && !name_bus(arguments, directory)) continue;
    found = true;
    // Of none it has ended, or is about to become another program.
    if (!arguments.empty()) ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, arguments.empty() ? WNOHANG : 0) < 0 && errno == EINTR) {
      continue;
    }
  }
  return found;
}

/// Once its supervisor is gone: it may have been at forking him who forks the keeper.
void end_keeper(const std::filesystem::path& directory) {
  while (end_children(directory)) continue;
}

std::string runnable(std::filesystem::path program) {
  if (::access(program.c_str(), X_OK) == 0) return program;
  const int error = errno;
  throw Error(error == ENOENT ? ErrorCode::not_found : ErrorCode::failed, program.string(),
              "cannot be run: " + std::generic_category().message(error),
              "name a ringwayd that can, with --daemon");
}

}  // namespace

PrivateBus::PrivateBus(std::filesystem::path daemon, const std::filesystem::path& place)
    : daemon_(runnable(std::move(daemon))), directory_(make_directory(place)) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

PrivateBus::~PrivateBus() {
  // A supervisor that is asked to leave takes the keeper along; what is stored goes anyway.
  kill();
  std::error_code ignored;
  end_keeper(directory_);
  std::filesystem::remove_all(directory_, ignored);
}

void PrivateBus::start() {
  launch();
  await_service(2ms);
}

void PrivateBus::await_service(std::chrono::nanoseconds look_every) {
  while (!serves()) {
    check_interrupted();
    check_alive();
    std::this_thread::sleep_for(look_every);
  }
}

void PrivateBus::launch() {
  const std::string log = directory_ / "ringwayd.log";
  const std::string run = directory_ / "run";
  const std::string state = directory_ / "state";
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw system_error(errno, daemon_, "fork");
  if (pid_ == 0) {
    ::setpgid(0, 0);  // Ctrl-C is for the parent alone
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) ::dup2(fd, STDERR_FILENO);
    ::execl(daemon_.c_str(), daemon_.c_str(), "--socket", socket().c_str(), "--runtime-dir",
            run.c_str(), "--state-dir", state.c_str(), nullptr);
    ::_exit(127);
  }
}

void PrivateBus::check_alive() {
  if (::waitpid(pid_, nullptr, WNOHANG) != pid_) return;
  pid_ = -1;
  throw Error(ErrorCode::failed, daemon_, "it ended at once", log_end());
}

bool PrivateBus::serves() const {
  try {
    Bus::connect(ConnectOptions{.socket = socket(), .timeout = 10s});
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable) return false;
    throw;
  }
}

void PrivateBus::kill() noexcept {
  if (pid_ > 0) signal_and_wait(SIGKILL);
}

void PrivateBus::stop() {
  ::kill(pid_, SIGTERM);
  int status = 0;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    check_interrupted();
    if (std::chrono::steady_clock::now() > deadline) {
      kill();
      throw Error(ErrorCode::failed, daemon_, "it did not stop within a minute", log_end());
    }
    std::this_thread::sleep_for(5ms);
  }
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(ErrorCode::failed, daemon_, "it did not stop in order", log_end());
  }
}

std::optional<pid_t> PrivateBus::keeper() const {
  for (const pid_t child : children()) {
    if (child != pid_ && name_bus(arguments_of(child), directory_)) return child;
  }
  return std::nullopt;
}

void PrivateBus::signal_and_wait(int signal) noexcept {
  ::kill(pid_, signal);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
}

std::string PrivateBus::log_end() const {
  std::ifstream file(directory_ / "ringwayd.log");
  const std::string log((std::istreambuf_iterator<char>(file)), {});
  return "its log ends:\n" + (log.size() > 2000 ? log.substr(log.size() - 2000) : log);
}

std::filesystem::path nearby_daemon() {
  const auto place = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const auto installed = place / "ringwayd";
  std::error_code ignored;
  if (std::filesystem::is_regular_file(installed, ignored)) return installed;
  return place.parent_path() / "daemon" / "ringwayd";
}

}  // namespace ringway::cli
