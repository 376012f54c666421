#include "bench/peers/server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "ringway/error.hpp"
#include "tools/stage/disk_place.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::peers {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kAnswersWithin = 20s;
constexpr auto kEndsWithin = 5s;  // when asked to; then it is killed

std::string end_of(const std::filesystem::path& log) {
  std::ifstream file(log);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.substr(text.size() - std::min<std::size_t>(text.size(), 1000));
}

template <class Address>
bool connects(int family, const Address& address) {
  const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) throw system_error(errno, "socket", "cannot be made");
  const bool connected =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return connected;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

PrivateDirectory::PrivateDirectory() {
  std::string name = cli::choose_disk_place().path / "peer-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw system_error(errno, name, "a temporary directory cannot be made",
                       "set TMPDIR to a directory that can be written to");
  }
  path_ = name;
  ::chmod(name.c_str(), 0755);  // brokers give their rights away
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Server::Server(std::vector<std::string> command, const std::filesystem::path& directory,
               const std::function<bool()>& answers) {
  const std::filesystem::path log = directory / "log";
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw system_error(errno, command[0], "fork failed");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, 1);
    ::dup2(file, 2);
    if (::chdir(directory.c_str()) == 0) ::execvp(arguments[0], arguments.data());
    ::dprintf(2, "%s: %s\n", arguments[0], std::strerror(errno));
    ::_exit(127);
  }
  for (const auto until = Clock::now() + kAnswersWithin; !answers();) {
    const bool ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (ended) pid_ = -1;
    if (ended || Clock::now() > until) {
      end();
      throw Error(ErrorCode::unavailable, command[0], "does not come up: " + end_of(log),
                  "see whether it runs by itself, and whether its package is installed");
    }
    try {
      cli::check_interrupted();
    } catch (...) {
      end();
      throw;
    }
    std::this_thread::sleep_for(5ms);
  }
}

Server::~Server() {
  end();
}

void Server::end() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const auto until = Clock::now() + kEndsWithin;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (Clock::now() > until) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(2ms);
  }
  pid_ = -1;
}

std::uint16_t free_port() {
  sockaddr_in address = loopback(0);
  socklen_t bytes = sizeof address;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool found = socket >= 0 &&
                     ::bind(socket, reinterpret_cast<sockaddr*>(&address), bytes) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes) == 0;
  const int error = errno;
  if (socket >= 0) ::close(socket);
  if (!found) throw system_error(error, "the loopback device", "has no port for a broker");
  return ntohs(address.sin_port);
}

bool listens_at(std::uint16_t port) {
  return connects(AF_INET, loopback(port));
}

bool listens_at(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket;
  if (path.size() >= sizeof address.sun_path) {
    throw Error(ErrorCode::usage, path, "is too long for a socket's path",
                "set TMPDIR to a shorter one");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return connects(AF_UNIX, address);
}

}  // namespace ringway::peers
