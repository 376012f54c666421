#include "tools/bench/process_memory.hpp"

#include <fmt/format.h>

#include <fstream>
#include <ringway/error.hpp>
#include <sstream>
#include <string>

namespace ringway::cli {
namespace {

/// Of the line "NAME:   123 kB".
std::uint64_t bytes_in(const std::string& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint64_t kilobytes = 0;
    if (words >> word && word == name + ":" && words >> kilobytes) return kilobytes * 1024;
  }
  throw Error(ErrorCode::failed, file, fmt::format("does not say {}", name), "");
}

}  // namespace

OwnMemory own_memory_of(pid_t process) {
  const std::string of = fmt::format("/proc/{}/", process);
  return {bytes_in(of + "smaps_rollup", "Anonymous"), bytes_in(of + "status", "VmPTE")};
}

std::uint64_t available_memory_bytes() {
  return bytes_in("/proc/meminfo", "MemAvailable");
}

}  // namespace ringway::cli
