#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "tools/bench/cpus.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

/// What a writer of a persisted ring is compared at.
struct DeviceWriteShape {
  std::filesystem::path place;  ///< a directory of the disk
  std::uint64_t ring_bytes;     ///< of the buffer; a power of two, at least 64 KiB
  std::uint64_t slot_bytes;     ///< a multiple of 16; how the reader looks at the buffer
  std::uint64_t file_bytes;     ///< what each variant writes, rounded up to whole blocks
  BlockState blocks;
};

/// Of block and depth.
inline constexpr std::size_t kDeviceWriteVariants = 4;

/// The limit of persisted ingest: one process on the first CPU that writes a populated ring in
/// shared memory, over and over, past the page cache into a file, with so many blocks under way at
/// once; another one on the second CPU that checks each byte once it was sent. Until the last block
/// is written; each variant of block and depth in a file of its own. Where
/// why_no_direct_writes() says something there is nothing to measure.
std::vector<Measured> device_write_variants(const CpuPair& cpus, const DeviceWriteShape& shape);

}  // namespace ringway::cli
