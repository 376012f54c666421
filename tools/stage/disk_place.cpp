#include "tools/stage/disk_place.hpp"

#include <sys/statfs.h>

#include <cstdlib>

namespace ringway::cli {
namespace {

constexpr long kTmpfs = 0x01021994;
constexpr long kRamfs = 0x858458f6;

DiskPlace look_at(const std::filesystem::path& path) {
  struct statfs facts{};
  if (::statfs(path.c_str(), &facts) != 0) return {path, false, 0};
  return {path, facts.f_type != kTmpfs && facts.f_type != kRamfs,
          static_cast<std::uint64_t>(facts.f_bavail) * static_cast<std::uint64_t>(facts.f_bsize)};
}

}  // namespace

DiskPlace choose_disk_place() {
  const char* named = std::getenv("TMPDIR");
  if (named != nullptr && *named != '\0') {
    if (DiskPlace place = look_at(named); place.on_disk) return place;
  }
  return look_at("/var/tmp");
}

}  // namespace ringway::cli
