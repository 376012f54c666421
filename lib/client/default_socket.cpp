#include "client/default_socket.hpp"

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
  if (const std::string runtime = environment("XDG_RUNTIME_DIR"); !runtime.empty()) {
    return runtime + "/ringway/control.sock";
  }
  return "/run/ringway/control.sock";
}

}  // namespace ringway
