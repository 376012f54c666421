#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "control/channel.hpp"
#include "control/directories.hpp"
#include "control/socket_address.hpp"
#include "control/socket_place.hpp"
#include "ringway/error.hpp"

namespace ringway::control {
namespace {

constexpr const char* kAnother = "name another path";

}  // namespace

SocketAddress::SocketAddress(const std::string& path) {
  if (path.empty() || path.size() > kSocketPathBytesMax) {
    throw Error(
        ErrorCode::usage, fmt::format("socket path '{}'", path),
        fmt::format("has {} bytes; the kernel takes 1 to {}", path.size(), kSocketPathBytesMax),
        "choose a shorter directory");
  }
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, path.data(), path.size());
}

Listener::Listener(const std::string& path) : path_(path) {
  const SocketAddress address(path);
  create_directories(std::filesystem::absolute(path).parent_path(), 0755);
  make_way(path, SOCK_SEQPACKET, kAnother);
  shm::Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw system_error(errno, path, "no socket can be made");
  if (::bind(socket.get(), address.get(), address.bytes()) != 0) {
    throw system_error(errno, path, "cannot be bound", kAnother);
  }
  socket_ = std::move(socket);
  struct stat status{};
  ::stat(path.c_str(), &status);
  inode_ = status.st_ino;
}

Listener::Listener(shm::Descriptor inherited) : socket_(std::move(inherited)) {
  sockaddr_un address{};
  socklen_t bytes = sizeof address;
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0 ||
      flags < 0 || ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    throw system_error(errno, "the socket that was given", "cannot be used");
  }
  path_ = address.sun_path;
  if (path_.empty()) {
    throw Error(ErrorCode::usage, "the socket that was given", "has no path in the file system",
                "give one that has");
  }
}

void Listener::listen(mode_t mode) {
  if (inode_ == 0) return;
  if (!in_place()) {
    throw Error(ErrorCode::busy, path_, "another process has taken this socket's place",
                fmt::format("stop it, or {}", kAnother));
  }
  if (::chmod(path_.c_str(), mode) != 0 || ::listen(socket_.get(), SOMAXCONN) != 0) {
    throw system_error(errno, path_, "cannot be listened at");
  }
}

Listener::~Listener() {
  if (socket_ && in_place()) ::unlink(path_.c_str());
  dispose_of_listener(std::move(socket_));
}

bool Listener::in_place() const noexcept {
  struct stat status{};
  return ::stat(path_.c_str(), &status) == 0 && status.st_ino == inode_;
}

std::optional<Channel> Listener::accept() {
  for (;;) {
    shm::Descriptor socket(
        ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket) return Channel(std::move(socket), Channel::Peer::stranger);
    switch (errno) {
      case EINTR:
      case ECONNABORTED:
        continue;
      case EAGAIN:
        return std::nullopt;
      case EMFILE:
      case ENFILE:
        throw Error(
            ErrorCode::limit, path_,
            "no descriptor is left for a new connection: the limit of open files is reached",
            "raise it (ulimit -n, LimitNOFILE=)");
      default:
        throw system_error(errno, path_, "accept failed");
    }
  }
}

}  // namespace ringway::control
