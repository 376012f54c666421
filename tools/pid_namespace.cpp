#include "tools/pid_namespace.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "shm/process.hpp"

namespace ringway::cli {
namespace {

/// Of the namespace that the kernel makes itself (PROC_PID_INIT_INO).
constexpr ino_t kOutermost = 0xEFFFFFFC;

std::vector<pid_t> pids_at(const std::string& path) {
  std::ifstream file(path);
  return pids_in({std::istreambuf_iterator<char>(file), {}});
}

}  // namespace

std::vector<pid_t> pids_in(const std::string& status) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("NSpid:")) continue;
    std::istringstream numbers(line.substr(6));
    return {std::istream_iterator<pid_t>(numbers), {}};
  }
  return {};
}

std::vector<pid_t> pids_of(pid_t pid) {
  return pids_at(fmt::format("/proc/{}/status", pid));
}

bool shares_pid_namespace(pid_t pid) {
  // /proc may be another namespace's: as that sees who reads it, he has two.
  return pids_of(pid).size() == 1 && pids_at("/proc/self/status").size() == 1;
}

bool sees_all_pid_namespaces() {
  struct stat own {};
  return stat("/proc/self/ns/pid", &own) == 0 && own.st_ino == kOutermost;
}

InnerProcesses::InnerProcesses() {
  std::error_code hidden;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", hidden)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::vector<pid_t> pids = pids_of(std::stoi(name));
    if (pids.size() > 1) here_.emplace(pids.back(), pids.front());
  }
}

std::vector<pid_t> InnerProcesses::called(pid_t pid) const {
  std::vector<pid_t> found;
  const auto [first, last] = here_.equal_range(pid);
  for (auto each = first; each != last; ++each) found.push_back(each->second);
  return found;
}

std::optional<layout::ProcessId> InnerProcesses::find(const layout::ProcessId& named) const {
  for (const pid_t pid : called(static_cast<pid_t>(named.pid))) {
    auto here = shm::identify(pid, named.uid);
    if (!here) continue;
    layout::ProcessId there = *here;
    there.pid = named.pid;
    if (shm::same_process(there, named)) return here;
  }
  return {};
}

}  // namespace ringway::cli
