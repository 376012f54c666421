#include "tools/service_unit.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>

#include "control/shell_word.hpp"

namespace ringway::cli {
namespace {

constexpr std::string_view kSuffix = ".service";

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Unit unit_in(const std::string& cgroup) {
  std::istringstream lines(cgroup);
  for (std::string line; std::getline(lines, line);) {
    std::string last = line.substr(line.rfind('/') + 1);
    if (!last.ends_with(".service")) continue;
    return {std::move(last), line.find("/user@") != std::string::npos};
  }
  return {};
}

Unit unit_of(pid_t pid) {
  return unit_in(content(fmt::format("/proc/{}/cgroup", pid)));
}

bool is_ringwayd(pid_t pid) {
  std::error_code refused;
  const auto program = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), refused);
  // Another user's may not be looked at, but for its short name.
  if (refused) return content(fmt::format("/proc/{}/comm", pid)) == "ringwayd\n";
  const std::string name = program.filename().string();
  return name == "ringwayd" || name == "ringwayd (deleted)";  // upgraded meanwhile
}

bool is_service_manager(pid_t pid) {
  const std::string name = content(fmt::format("/proc/{}/comm", pid));
  return name == "systemd\n" || (pid == 1 && name == "init\n");
}

std::string socket_of(const Unit& unit) {
  return unit.name.substr(0, unit.name.size() - kSuffix.size()) + ".socket";
}

Unit unit_at(const std::string& runtime_dir) {
  constexpr std::string_view kHost = "/run/ringway";
  if (runtime_dir == kHost) return {"ringwayd.service", false};
  if (runtime_dir.starts_with("/run/ringway-") &&
      runtime_dir.find('/', kHost.size()) == runtime_dir.npos) {
    return {fmt::format("ringwayd@{}.service", runtime_dir.substr(kHost.size() + 1)), false};
  }
  if (runtime_dir == fmt::format("/run/user/{}/ringway", geteuid())) {
    return {"ringwayd.service", true};
  }
  return {};
}

std::string systemctl(const std::string& verb, const Unit& unit) {
  std::string name = unit.name;
  if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
  return fmt::format("systemctl {}{} {}", unit.of_user ? "--user " : "", verb,
                     control::shell_quoted(name));
}

std::string systemctl_all(const std::string& verb, const Unit& unit) {
  if (unit.of_user) return systemctl(verb, unit);
  return fmt::format("systemctl {} {} {}", verb, control::shell_quoted(socket_of(unit)),
                     control::shell_quoted(unit.name));
}

std::string command_that_stops(pid_t pid) {
  const Unit unit = unit_of(pid);
  return unit.name.starts_with("ringwayd") ? systemctl_all("stop", unit)
                                           : fmt::format("kill {}", pid);
}

}  // namespace ringway::cli
