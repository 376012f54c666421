#include "shm/withheld.hpp"

#include <algorithm>
#include <cstdlib>

namespace ringway::shm {

bool withheld(std::string_view feature) noexcept {
  const char* list = std::getenv("RINGWAY_WITHOUT");
  std::string_view rest = list == nullptr ? "" : list;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    if (rest.substr(0, comma) == feature) return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

}  // namespace ringway::shm
