#pragma once

#include <cstdint>
#include <filesystem>

namespace ringway::cli {

struct DiskPlace {
  std::filesystem::path path;
  bool on_disk;
  std::uint64_t free_bytes;
};

/// $TMPDIR when it is on a disk, else /var/tmp.
DiskPlace choose_disk_place();

}  // namespace ringway::cli
