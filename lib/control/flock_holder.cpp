#include "control/flock_holder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ringway::control {
namespace {

namespace fs = std::filesystem;

/// Each of its users, or a program that others may run as root would do.
bool trusted(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name != "Uid:") continue;
    std::array<uid_t, 4> users{};
    for (uid_t& user : users) words >> user;
    return words && std::ranges::all_of(
                        users, [](uid_t user) { return user == 0 || user == ::geteuid(); });
  }
  return false;
}

bool has_open(pid_t pid, const struct stat& wanted) {
  for (const auto& open : fs::directory_iterator(fmt::format("/proc/{}/fd", pid))) {
    struct stat there{};
    if (::stat(open.path().c_str(), &there) == 0 && there.st_dev == wanted.st_dev &&
        there.st_ino == wanted.st_ino) {
      return true;
    }
  }
  return false;
}

pid_t find_holder(const struct stat& wanted) {
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, strictness, access, place;
    pid_t pid = 0;
    if (!(words >> number >> kind >> strictness >> access >> pid >> place)) continue;
    // By its inode alone: some file systems show another device here than stat() does.
    const bool same = place.ends_with(fmt::format(":{}", wanted.st_ino));
    if (kind == "FLOCK" && pid > 0 && same && trusted(pid) && has_open(pid, wanted)) return pid;
  }
  return 0;
}

}  // namespace

pid_t flock_holder(const std::string& directory) noexcept {
  struct stat wanted{};
  if (::stat(directory.c_str(), &wanted) != 0) return 0;
  try {
    return find_holder(wanted);
  } catch (const std::exception&) {
    return 0;  // it ended meanwhile, or may not be looked at
  }
}

}  // namespace ringway::control
