#include "daemon/keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <list>

#include "control/keeper_connection.hpp"
#include "daemon/keeper_service.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"

namespace ringway::daemon {
namespace {

using control::Arrival;
using control::Delivery;

// Left free for connections, replies and the loop itself.
constexpr std::uint64_t kReservedDescriptors = 320;
constexpr std::size_t kStrangersMax = 64;
constexpr std::ptrdiff_t kStrangersOfOneUserMax = 4;

/// How many descriptors may be kept.
std::size_t room_for_descriptors() {
  const std::uint64_t limit = shm::raise_descriptor_limit();
  return limit > 2 * kReservedDescriptors ? limit - kReservedDescriptors : limit / 2;
}

/// Cuts everything that ties this process to who started it.
void detach() {
  ::setsid();
  if (::chdir("/") != 0) throw system_error(errno, "/", "chdir failed");
  for (const int ignored : {SIGHUP, SIGINT, SIGPIPE}) std::signal(ignored, SIG_IGN);
}

/// Tells the waiting starter, whose pipe stdout is, and lets go of it.
void announce_readiness() {
  constexpr std::string_view kReady = "ready\n";
  [[maybe_unused]] const ssize_t told = ::write(STDOUT_FILENO, kReady.data(), kReady.size());
  const shm::Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int stdio : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null.get(), stdio);
}

/// Notices when a directory, or what lies in it, goes away.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::string& path)
      : path_(path), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    constexpr std::uint32_t kEvents =
        IN_DELETE_SELF | IN_MOVE_SELF | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR;
    if (!inotify_ || ::inotify_add_watch(inotify_.get(), path.c_str(), kEvents) < 0) {
      throw system_error(errno, path, "cannot be watched",
                         "raise fs.inotify.max_user_instances or max_user_watches");
    }
    struct stat status{};
    ::stat(path.c_str(), &status);
    inode_ = status.st_ino;
  }

  int fd() const noexcept { return inotify_.get(); }
  void drain() const noexcept {
    char events[4096];
    while (::read(inotify_.get(), events, sizeof events) > 0) {
    }
  }
  bool in_place() const noexcept {
    struct stat status{};
    return ::stat(path_.c_str(), &status) == 0 && status.st_ino == inode_;
  }

 private:
  std::string path_;
  shm::Descriptor inotify_;
  ino_t inode_ = 0;
};

/// The poll loop around a KeeperService.
class Keeper {
 public:
  Keeper(const std::string& runtime_dir, const std::string& state_dir)
      : service_(state_dir, ::geteuid(), room_for_descriptors()),
        listener_(control::keeper_socket(runtime_dir), 0666),
        watch_(runtime_dir) {}

  void run() {
    while (!service_.ended() && reachable()) {
      // A listener that cannot be served stays readable: leave it alone for a while.
      const bool paused = std::exchange(out_of_descriptors_, false);
      // Without its path the directory is going, too, and nothing will tell: our own socket holds
      // it.
      const int patience_ms = paused ? 100 : listener_.in_place() ? -1 : 1000;
      std::vector<pollfd> waiting{{paused ? -1 : listener_.fd(), POLLIN, 0},
                                  {watch_.fd(), POLLIN, 0}};
      for (const Connection& connection : connections_) {
        waiting.push_back({connection.channel.fd(), POLLIN, 0});
      }
      if (::poll(waiting.data(), waiting.size(), patience_ms) < 0) continue;  // a signal
      auto connection = connections_.begin();
      for (std::size_t i = 2; i < waiting.size(); ++i) {
        const auto next = std::next(connection);
        if (waiting[i].revents != 0 && !serve(*connection)) connections_.erase(connection);
        connection = next;
      }
      if (waiting[1].revents != 0) watch_.drain();
      if (waiting[0].revents != 0) accept();
    }
  }

 private:
  struct Connection {
    control::Channel channel;
    KeeperService::Peer peer;
    bool trusted;
  };

  /// Whether anybody can still get at what is kept: by the socket's path, or because a supervisor
  /// holds a connection. Without its directory the bus itself is gone.
  bool reachable() const {
    return watch_.in_place() &&
           (listener_.in_place() || std::ranges::any_of(connections_, &Connection::trusted));
  }

  /// Answers one request; false when the connection is to be closed.
  bool serve(Connection& connection) {
    control::Message request;
    switch (connection.channel.receive(request, std::chrono::milliseconds(0),
                                       connection.trusted ? 1 : 0)) {
      case Arrival::nothing:
        return true;
      case Arrival::closed:
      case Arrival::broken:
        return false;
      case Arrival::message:
        break;
    }
    try {
      const auto reply = service_.answer(connection.peer, request);
      return connection.channel.send(reply.text, reply.descriptors, std::chrono::milliseconds(0)) ==
             Delivery::sent;
    } catch (const Error&) {
      return false;  // the reply cannot be sent at all
    }
  }

  void accept() {
    try {
      auto channel = listener_.accept();
      if (!channel) return;
      KeeperService::Peer peer{channel->peer()};
      const bool trusted = control::trusted(peer.credentials, ::geteuid());
      if (!trusted && crowded(peer.credentials.uid)) return;
      connections_.push_back({std::move(*channel), std::move(peer), trusted});
    } catch (const Error&) {
      out_of_descriptors_ = true;  // strangers must not keep the supervisor out
      std::erase_if(connections_, [](const Connection& open) { return !open.trusted; });
    }
  }

  /// Strangers may look, but not crowd out one another or the supervisor.
  bool crowded(uid_t uid) const {
    const auto stranger = [](const Connection& open) { return !open.trusted; };
    const auto same = [&](const Connection& open) { return open.peer.credentials.uid == uid; };
    return std::ranges::count_if(connections_, same) >= kStrangersOfOneUserMax ||
           std::ranges::count_if(connections_, stranger) >=
               static_cast<std::ptrdiff_t>(kStrangersMax);
  }

  KeeperService service_;
  control::Listener listener_;
  DirectoryWatch watch_;
  std::list<Connection> connections_;
  bool out_of_descriptors_ = false;
};

}  // namespace

int keeper_main(const std::string& runtime_dir, const std::string& state_dir) {
  const std::string runtime = std::filesystem::weakly_canonical(runtime_dir);
  const std::string state = std::filesystem::weakly_canonical(state_dir);
  detach();
  Keeper keeper(runtime, state);
  announce_readiness();
  keeper.run();
  return 0;
}

}  // namespace ringway::daemon
