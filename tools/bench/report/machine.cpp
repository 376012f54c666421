#include "tools/bench/report/machine.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <fstream>
#include <sstream>

#include "tools/bench/cpus.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

/// "ext4 on /dev/vda": of the mount that is deepest above `place`.
std::string disk_of(const std::filesystem::path& place) {
  std::ifstream file("/proc/self/mounts");
  std::string found, longest;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string device, mounted, kind;
    words >> device >> mounted >> kind;
    const std::string below = mounted == "/" ? mounted : mounted + "/";
    if (mounted.size() < longest.size() || !(place.string() + "/").starts_with(below)) continue;
    longest = mounted;
    found = fmt::format("{} on {}", kind, device);
  }
  return found;
}

}  // namespace

Facts machine_facts(const std::filesystem::path& place) {
  Facts facts;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) facts.emplace_back(name, value);
  };
  const std::string model = processor();
  const std::size_t cpus = allowed_cpus().size();
  add("Processor", model.empty() ? counted(cpus, "CPU")
                                 : fmt::format("{}, {}", model, counted(cpus, "CPU")));
  struct sysinfo memory{};
  if (::sysinfo(&memory) == 0) {
    constexpr std::uint64_t kMiB = 1 << 20;
    add("Memory", format_size(memory.totalram * memory.mem_unit / kMiB * kMiB));
  }
  struct utsname kernel{};
  if (::uname(&kernel) == 0) add("Kernel", fmt::format("{} {}", kernel.sysname, kernel.release));
  add("Disk", disk_of(place));
  return facts;
}

}  // namespace ringway::cli
