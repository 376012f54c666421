#include "client/default_socket.hpp"

#include <unistd.h>

#include <cstdlib>

namespace ringway {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string default_socket() {
  if (std::string named = environment("RINGWAY_SOCKET"); !named.empty()) return named;
  const std::string host = "/run/ringway/control.sock";
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  if (runtime.empty()) return host;
  const std::string own = runtime + "/ringway/control.sock";
  // Every login session has the variable; few have a bus of their own.
  return ::access(own.c_str(), F_OK) != 0 && ::access(host.c_str(), F_OK) == 0 ? host : own;
}

}  // namespace ringway
