#include "control/socket_place.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "control/socket_address.hpp"
#include "ringway/error.hpp"
#include "shm/process.hpp"

namespace ringway::control {
namespace {

/// Whether who listens at the other end is alive. A supervisor that was killed while it started its
/// keeper leaves a child behind that has the supervisor's sockets until it becomes the keeper.
bool listener_lives(int socket) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  // The credentials of who called listen(), unless it is in a pid namespace of its own.
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0 || peer.pid == 0) {
    return true;
  }
  const auto process = shm::open_pid(peer.pid);
  return process && !shm::is_dead(process->get());
}

/// Whether somebody accepts connections at the address; a dead process's socket refuses them.
bool somebody_serves(const std::string& path, int type, const std::string& otherwise) {
  const SocketAddress address(path);
  const shm::Descriptor probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) throw system_error(errno, path, "no socket can be made");
  if (::connect(probe.get(), address.get(), address.bytes()) == 0) {
    return listener_lives(probe.get());
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return false;
  if (errno == EAGAIN || errno == EPROTOTYPE) return true;  // full; of another type
  throw system_error(errno, path, "who serves at this socket cannot be asked",
                     "remove it, or " + otherwise);
}

}  // namespace

void make_way(const std::string& path, int type, const std::string& otherwise) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return;  // to bind it says why
  if (!S_ISSOCK(status.st_mode)) {
    throw Error(ErrorCode::usage, path, "what is there is no socket, and stays",
                "move it away, or " + otherwise);
  }
  if (somebody_serves(path, type, otherwise)) {
    throw Error(ErrorCode::busy, path, "another process serves at this socket",
                "stop it, or " + otherwise);
  }
  ::unlink(path.c_str());
}

}  // namespace ringway::control
