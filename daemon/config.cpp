#include "daemon/config.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace ringway::daemon {
namespace {

std::filesystem::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  // A relative path in such a variable is to be ignored (XDG base directory specification).
  return value != nullptr && value[0] == '/' ? std::filesystem::path(value)
                                             : std::filesystem::path();
}

/// systemd may name several directories, separated by colons; the first is ours.
std::filesystem::path service_directory(const char* name) {
  const std::string all = from_environment(name).string();
  return all.substr(0, all.find(':'));
}

/// Started by the system's service manager. INVOCATION_ID alone proves nothing: shells inherit it
/// from a user's session, which has XDG_RUNTIME_DIR, too.
bool is_system_service() {
  return std::getenv("XDG_RUNTIME_DIR") == nullptr &&
         (std::getenv("INVOCATION_ID") != nullptr || std::getenv("NOTIFY_SOCKET") != nullptr);
}

}  // namespace

DefaultDirectory default_runtime_dir() {
  if (const auto given = service_directory("RUNTIME_DIRECTORY"); !given.empty()) {
    return {given, "RUNTIME_DIRECTORY"};
  }
  if (const auto xdg = from_environment("XDG_RUNTIME_DIR"); !xdg.empty()) {
    return {xdg / "ringway", "XDG_RUNTIME_DIR"};
  }
  return {"/run/ringway", ""};
}

DefaultDirectory default_state_dir() {
  if (const auto given = service_directory("STATE_DIRECTORY"); !given.empty()) {
    return {given, "STATE_DIRECTORY"};
  }
  if (is_system_service()) return {"/var/lib/ringway", ""};
  if (const auto xdg = from_environment("XDG_STATE_HOME"); !xdg.empty()) {
    return {xdg / "ringway", "XDG_STATE_HOME"};
  }
  if (const auto home = from_environment("HOME"); !home.empty()) {
    return {home / ".local/state/ringway", "HOME"};
  }
  return {"/var/lib/ringway", ""};
}

std::filesystem::path config_directory() {
  if (const auto own = service_directory("CONFIGURATION_DIRECTORY"); !own.empty()) return own;
  if (::geteuid() == 0 || is_system_service()) return "/etc/ringway";
  if (const auto xdg = from_environment("XDG_CONFIG_HOME"); !xdg.empty()) return xdg / "ringway";
  const auto home = from_environment("HOME");
  return home.empty() ? home : home / ".config/ringway";
}

void Config::complete() {
  if (runtime_dir.empty()) runtime_dir = default_runtime_dir().path;
  if (state_dir.empty()) state_dir = default_state_dir().path;
  runtime_dir = std::filesystem::absolute(runtime_dir).lexically_normal();
  state_dir = std::filesystem::absolute(state_dir).lexically_normal();
  if (socket.empty()) socket = runtime_dir / "control.sock";
  socket = std::filesystem::absolute(socket).lexically_normal();
  if (metrics_socket.empty()) metrics_socket = socket.parent_path() / "metrics.sock";
  metrics_socket = std::filesystem::absolute(metrics_socket).lexically_normal();
}

}  // namespace ringway::daemon
