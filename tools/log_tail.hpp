#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "layout/record.hpp"
#include "log/stream.hpp"
#include "storage/file_system.hpp"

namespace ringway::cli {

/// A record of a log as its header tells of it, without its bytes.
struct LoggedRecord {
  std::uint64_t offset = 0;
  layout::RecordHeader header{};
};

struct LogTail {
  std::vector<LoggedRecord> records{};  ///< the last ones, oldest first
  std::uint64_t first_offset = 0;
  std::uint64_t end_offset = 0;  ///< of the last record that counts
  std::size_t damaged = 0;       ///< files of the log that cannot be followed
};

inline constexpr std::uint64_t kAnyOffset = ~std::uint64_t{0};

/// The last `count` records of a partition's log whose offsets are below `below`, from as few of
/// its segments as that takes. Changes nothing. Throws Error when the directory cannot be read.
LogTail tail_of_log(storage::FileSystem& file_system, const std::string& directory,
                    std::size_t count, std::uint64_t below = kAnyOffset);

}  // namespace ringway::cli
