#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

namespace ringway::control {

/// A path as the socket calls want it.
class SocketAddress {
 public:
  /// @throws Error usage when the path does not fit.
  explicit SocketAddress(const std::string& path);

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t bytes() const noexcept { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

}  // namespace ringway::control
