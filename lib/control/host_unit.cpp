#include "control/host_unit.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

namespace ringway::control {

bool has_host_unit() {
  constexpr std::array kDirectories{"/etc/systemd/system", "/run/systemd/system",
                                    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                    "/lib/systemd/system"};
  return std::ranges::any_of(kDirectories, [](const std::filesystem::path directory) {
    std::error_code unseen;
    return std::filesystem::exists(directory / "ringwayd.service", unseen);
  });
}

std::string start_advice(const std::string& socket) {
  constexpr const char* kOfTheHost = "/run/ringway/control.sock";
  return socket == kOfTheHost && has_host_unit() ? "systemctl start ringwayd" : "start ringwayd";
}

}  // namespace ringway::control
