#pragma once

#include <cstdint>
#include <string>

namespace ringway::quickstart {

/// 12,345,678
inline std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

}  // namespace ringway::quickstart
