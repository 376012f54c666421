#include "shm/user_namespace.hpp"

#include <cstdint>
#include <fstream>
#include <optional>

namespace ringway::shm {
namespace {

/// All numbers but 2^32 - 1, which is nobody's (user_namespaces(7)).
constexpr std::uint64_t kAllAccounts = 0xFFFF'FFFF;
constexpr std::uint32_t kUsualOverflow = 65534;

/// The number that stands for whoever is not in `map`; nothing where all are. A kernel without user
/// namespaces has no map, and names everybody.
std::optional<std::uint32_t> stand_in(const char* map, const char* overflow) {
  std::ifstream lines(map);
  if (!lines) return std::nullopt;
  std::uint64_t mapped = 0;
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (lines >> inside >> outside >> count) mapped += count;
  if (mapped >= kAllAccounts) return std::nullopt;
  std::uint32_t number = kUsualOverflow;
  std::ifstream(overflow) >> number;
  return number;
}

}  // namespace

bool may_be_unmapped_user(uid_t user) {
  static const auto number = stand_in("/proc/self/uid_map", "/proc/sys/kernel/overflowuid");
  return number == user;
}

bool may_be_unmapped_group(gid_t group) {
  static const auto number = stand_in("/proc/self/gid_map", "/proc/sys/kernel/overflowgid");
  return number == group;
}

}  // namespace ringway::shm
