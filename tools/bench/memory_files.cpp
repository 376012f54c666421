#include "tools/bench/memory_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <ios>
#include <ringway/error.hpp>
#include <sstream>
#include <string>

namespace ringway::cli {

MemoryFiles::Mapping MemoryFiles::find(std::uintptr_t at) {
  const auto look = [&] {
    return std::ranges::find_if(all_, [&](const Mapping& each) { return each.has(at); });
  };
  auto found = look();
  if (found == all_.end()) {
    read_mappings();
    found = look();
  }
  if (found != all_.end()) return *found;
  throw Error(ErrorCode::failed, fmt::format("address {:x}", at), "is not mapped", "");
}

void MemoryFiles::read_mappings() {
  all_.clear();
  std::ifstream maps("/proc/self/maps");
  // "7f12a000-7f12b000 r--s 00001000 00:01 77 /memfd:a-name (deleted)"
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    Mapping mapping;
    char dash = 0;
    words >> std::hex >> mapping.from >> dash >> mapping.to;
    mapping.memory_file = line.find(" /memfd:") != std::string::npos;
    if (words && dash == '-') all_.push_back(mapping);
  }
}

}  // namespace ringway::cli
