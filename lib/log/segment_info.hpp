#pragma once

#include <cstdint>
#include <string>

#include "log/segment_format.hpp"
#include "log/stream.hpp"

namespace ringway::log {

constexpr LogPoint predecessor_end(const SegmentHeader& header) noexcept {
  return {header.predecessor_end_position, header.predecessor_end_offset};
}
constexpr LogPoint predecessor_durable(const SegmentHeader& header) noexcept {
  return {header.predecessor_end_position - header.predecessor_unsynced_bytes,
          header.predecessor_end_offset - header.predecessor_unsynced_offsets};
}

/// What is known of one segment without reading its data.
struct SegmentInfo {
  std::string name;  ///< file name within the partition's directory
  std::uint64_t base_position = 0;
  LogPoint first;                ///< first record: {first_position, base_offset}
  LogPoint end;                  ///< one past the last record that counts
  LogPoint predecessor_end;      ///< where the log ended when this segment was made
  LogPoint predecessor_durable;  ///< how far a sync had confirmed it
  std::int64_t time_min = kNoTime;
  std::int64_t time_max = kNoTime;
  std::int64_t running_max = kNoTime;
  std::int64_t written_at_ns = 0;  ///< the supervisor's clock at the last write
  std::uint64_t file_bytes = 0;    ///< disk space taken

  bool empty() const noexcept { return end.offset == first.offset; }
};

}  // namespace ringway::log
